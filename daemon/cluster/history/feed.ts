/**
 * The pages of the feed, for `TIMELINE LOG AFTER` (final) and `TIMELINE LOG ARRIVED` (early). A page contains only
 * units of which the caller may read all keys. Source: docs/protocol-v2.md "TIMELINE".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { rowOfFinalityCause } from "../../../protocol/figures/finality-causes.js";
import {
  array,
  bulk,
  bulks,
  integer,
  map,
  NIL,
  namesAndValues,
  type Reply,
} from "../../../protocol/reply.js";
import {
  BACKGROUND_TURN_MS,
  inTurns,
  STEP_ITEMS,
  type Steps,
  type TurnClock,
} from "../../../protocol/steps.js";
import {
  bytesOfHex,
  conditionsOf,
  hexOf,
  UNIT_ORDER_KEY_BYTES,
} from "../../../protocol/version-2/envelope.js";
import { CommandFailure, custom, echoed } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import { feedOptionOf } from "../../store/commands/timeline.js";
import { isKeyCommand } from "../../store/key-ring.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { Acl } from "../../store/rights/acl.js";
import { type Touch, touchesOf } from "../../store/rows/key-spec.js";
import { FinalReadings, lastBefore, type ReadingParts } from "../../timeline/final-readings.js";
import type { RecalledUnit } from "../../timeline/history-fold.js";
import { isEarlyPosition } from "../replica/arrivals.js";
import type { NodeState } from "../replica/replica-context.js";
import { isBySigner } from "./timeline-log.js";
import { countOption, readLogOptions, signerOption, UNITS_MAX } from "./timeline-options.js";
import { unitTouchesKey } from "./touched-keys.js";
import { outcomeOf, shortReply, unitFields } from "./unit-report.js";

const UNITS_DEFAULT = 1000;
/** Number of digits of an id by which a member without an address is named. */
const ID_DIGITS = 12;

type SelectedUnit = Omit<RecalledUnit, "answer">;
/** Checks whether a unit belongs to a page, in at least one step. */
type Selection = (unit: SelectedUnit) => Steps<boolean>;
type Caller = Pick<Unit, "db" | "readsAll"> & { readonly caller?: Unit["caller"] | undefined };

export class Feed {
  readonly #node: NodeState;
  readonly #readings: FinalReadings;
  readonly #clock: TurnClock;

  constructor(node: NodeState, parts: Pick<ReadingParts, "clock" | "hash" | "genesis" | "databases">) {
    const { storage, snapshots, environment } = node;
    this.#node = node;
    this.#clock = parts.clock;
    this.#readings = new FinalReadings({
      ...parts,
      storage,
      snapshots: snapshots.snapshots,
      shorten: shortReply,
      setTimer: (milliseconds, step) => environment.setTimer(milliseconds, step),
    });
  }

  /** @param argv  `TIMELINE LOG AFTER|ARRIVED position …`. @throws CommandFailure, RecallFailure */
  async page(argv: readonly ByteString[], caller: Caller): Promise<Reply> {
    const { name = "AFTER", value = "" } = feedOptionOf(argv) ?? {};
    const options = readLogOptions(argv, 2, [name, "KEY", "SIGNER", "LIMIT"]);
    const limit = countOption(options, "LIMIT", UNITS_MAX) ?? UNITS_DEFAULT;
    const isWanted = this.#selection(options.get("KEY"), signerOption(options), caller);
    return name === "AFTER"
      ? await this.#final(value, limit, isWanted)
      : await this.#early(value, limit, isWanted);
  }

  stop(): void {
    this.#readings.stop();
  }

  async #final(text: ByteString, limit: number, isWanted: Selection): Promise<Reply> {
    const { peering, environment } = this.#node;
    const after =
      text.toUpperCase() === "NOW" ? lastBefore(Math.floor(environment.clock())) : readPosition(text);
    if (peering.state !== "live")
      throw custom(`TRYAGAIN this daemon is ${peering.state}: send the command to a live one`);
    const final = Math.max(0, Math.floor(peering.stablePoint));
    const { units, position, hasMore } = await this.#readings.page({ after, final, limit, isWanted });
    return map(
      namesAndValues({
        position: bulk(positionText(position)),
        more: integer(hasMore ? 1 : 0),
        final: integer(final),
        ...this.#waiting(),
        units: array(
          units.map((unit) =>
            map(
              namesAndValues({
                position: bulk(hexOf(unit.position)),
                ...unitFields(unit, unit.label, commandsOf(unit)),
                outcome: bulk(outcomeOf(unit)),
                reply: shownReply(unit.answer.reply),
              }),
            ),
          ),
        ),
      }),
    );
  }

  async #early(text: ByteString, limit: number, isWanted: Selection): Promise<Reply> {
    const isNow = text.toUpperCase() === "NOW";
    if (!isNow && !isEarlyPosition(text))
      throw custom(`ERR '${echoed(text)}' is not a position of the early form: ${FORMS}`);
    const { arrivals, timeline } = this.#node;
    const steps = arrivals.page({ after: isNow ? null : text, limit, isWanted });
    const { units, position, hasMore } = await inTurns(steps, this.#clock, {
      milliseconds: BACKGROUND_TURN_MS,
    });
    const labelOf = ({ entry }: SelectedUnit) => timeline.ring.find(entry.envelope.key)?.label ?? "";
    return map(
      namesAndValues({
        position: bulk(position),
        more: integer(hasMore ? 1 : 0),
        units: array(
          units.map(({ answer, position: place, ...unit }) =>
            map(
              namesAndValues({
                position: bulk(place),
                ...unitFields(unit, labelOf(unit), commandsOf(unit)),
                outcome: answer === null ? NIL : bulk(outcomeOf({ answer })),
                reply: answer === null ? NIL : shownReply(answer.reply),
                late: integer(answer === null || answer.late ? 1 : 0),
              }),
            ),
          ),
        ),
      }),
    );
  }

  /** Returns what the next final date waits for, if that is not normal. */
  #waiting(): Record<string, Reply> {
    const { peering, environment } = this.#node;
    const delay = peering.finalityDelay;
    const row = rowOfFinalityCause(delay?.cause ?? null);
    if (delay === null || row === null || !delay.isOverdue) return { "waits-for": NIL, "waits-since": NIL };
    const names = delay.members.map((id) => {
      const address = peering.members.find((member) => member.id === id)?.address ?? "";
      return address === "" ? hexOf(id).slice(0, ID_DIGITS) : address;
    });
    const text = row.says.replace("…", names.join(" and ") || "(unknown)");
    return {
      "waits-for": bulk(bytesOfText(text)),
      "waits-since": integer(Math.floor(environment.clock() - delay.milliseconds)),
    };
  }

  /** Returns the test whether a unit belongs to a page. */
  #selection(key: ByteString | undefined, signer: string, caller: Caller): Selection {
    const { ring } = this.#node.timeline;
    const acl = caller.readsAll === true ? null : (ring.find(caller.caller ?? "")?.acl ?? NO_RIGHTS);
    const databaseKey = key === undefined ? null : { db: caller.db, key };
    return function* (unit) {
      yield;
      return (
        isBySigner(unit.entry.envelope, signer) &&
        (databaseKey === null || unitTouchesKey(unit, databaseKey)) &&
        (acl === null || (yield* mayReadUnit(unit, acl)))
      );
    };
  }
}

type HistoryRights = Pick<Acl, "mayReadHistory">;

const NO_RIGHTS: HistoryRights = { mayReadHistory: () => false };

/**
 * Whether a key may read all keys that a unit touches. Such a key sees no commands for the key ring, and no scripts,
 * whose text may contain other keys.
 */
function* mayReadUnit({ entry, index, commands }: SelectedUnit, acl: HistoryRights): Steps<boolean> {
  if (!(yield* mayReadEach(conditionsOf(entry.envelope, index) ?? [], acl))) return false;

  for (const argv of commands) {
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure || isKeyCommand(argv) || command.runsScript === true) return false;
    const touches = touchesOf(command.keys, argv);
    if (touches.length === 0 || !(yield* mayReadEach(touches, acl))) return false;
  }
  return true;
}

/** Whether a key may read each of the given keys. A unit may have very many. */
function* mayReadEach(
  touches: readonly Pick<Touch, "db" | "key" | "beginning">[],
  acl: HistoryRights,
): Steps<boolean> {
  for (const [index, touch] of touches.entries()) {
    if (index % STEP_ITEMS === 0) yield;
    if (!acl.mayReadHistory(touch)) return false;
  }
  return true;
}

/** @throws CommandFailure */
function readPosition(text: ByteString): ByteString {
  const position = bytesOfHex(text, UNIT_ORDER_KEY_BYTES);
  if (position !== undefined && readableDate(position)) return position;
  if (/^(0|[1-9]\d{0,15})$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER)
    return lastBefore(Number(text));
  throw custom(`ERR '${echoed(text)}' is not a position of the final form: ${FORMS}`);
}

/** Returns the text that `readPosition` reads. Before the first entry there is no order key, but a date. */
const positionText = (position: ByteString): ByteString => (position === "" ? "0" : hexOf(position));

/** Whether the date of a position is a safe integer. */
const readableDate = (position: ByteString): boolean =>
  Buffer.from(position.slice(0, 8), "latin1").readBigUInt64BE() <= Number.MAX_SAFE_INTEGER;

const commandsOf = ({ commands }: SelectedUnit): Reply => array(commands.map((argv) => bulks(argv)));

const shownReply = (reply: Reply): Reply => (reply.kind === "error" ? bulk(reply.text) : reply);

const FORMS =
  "AFTER takes 92 hexadecimal digits, milliseconds since 1970 or NOW, ARRIVED takes NOW or the position in an earlier answer";
