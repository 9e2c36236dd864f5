/**
 * The answers to TIMELINE's subcommands, which a daemon reads from its timeline while it serves other commands. They
 * change nothing, and are not recorded. The signing key's permissions have already been checked. Source:
 * docs/protocol-v2.md "TIMELINE".
 */

import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { type Figure, type Figures, type FigureTable, wireName } from "../../../protocol/figures/figure.js";
import { TIMELINE_FIGURES, UPTO_FIGURES } from "../../../protocol/figures/timeline-figures.js";
import {
  array,
  bulk,
  error,
  integer,
  map,
  NIL,
  namesAndValues,
  type Reply,
} from "../../../protocol/reply.js";
import { readEntryBody } from "../../../protocol/version-2/decision-body.js";
import {
  bytesOfHex,
  commandsIn,
  ENTRY_ORDER_KEY_BYTES,
  type Envelope,
  HASH_BYTES,
  hexOf,
} from "../../../protocol/version-2/envelope.js";
import { hashOf } from "../../engine/trust/identity.js";
import { CommandFailure, custom, echoed } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import { PAST_COMMAND_AT, type TimelineCommandName } from "../../store/commands/timeline.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { DigestIndex } from "../../timeline/compare/digest-index.js";
import { type Entry, readOrderKey } from "../../timeline/entries/entry.js";
import { RecallFailure, Recalls } from "../../timeline/history-fold.js";
import { type EntryOutcome, entryOutcomeOf } from "../../timeline/members/rules.js";
import { FOLD_AHEAD_MS } from "../../timeline/unfolded-entries.js";
import { type DeadLetter, type DeadLetterFolder, deadUnitsOf } from "../dead-letters/dead-letter-folder.js";
import type { Recorder } from "../replica/recorder.js";
import type { NodeState } from "../replica/replica-context.js";
import { type FoldMirror, repairMirror } from "./fold-mirror.js";
import type { ReplicaFigures } from "./replica-figures.js";
import { blame, log, readDate, readDeadLettersQuery, readStatusUpTo } from "./timeline-log.js";
import { shownCommands } from "./unit-report.js";

/** What the answers need to know of the unit that contains the command. */
type QueryUnit = Pick<Unit, "db" | "id" | "readsAll">;

type Handler = (argv: readonly ByteString[], unit: QueryUnit) => Reply | Promise<Reply>;

/** What the answers are about. */
interface AnswerSources {
  readonly node: NodeState;
  readonly recorder: Recorder;
  readonly figures: ReplicaFigures;
  readonly mirror: FoldMirror | null;
}

export class TimelineAnswers {
  readonly recalls: Recalls;
  readonly #handlers: Readonly<Record<TimelineCommandName, Handler>>;

  constructor(sources: AnswerSources) {
    const { node, recorder } = sources;
    const { storage, snapshots, soon, environment, signers } = node;
    const beginning = { hash: hashOf, genesis: signers.makeRing, databases: DATABASES_DEFAULT };
    const clock = { soon, uptime: environment.uptime };

    const recalls = new Recalls(storage, snapshots.snapshots, beginning, clock);
    this.recalls = recalls;
    const now = () => Math.floor(environment.clock());
    const scene = ({ db }: QueryUnit) => ({ recalls, db, last: now() + FOLD_AHEAD_MS });

    this.#handlers = {
      "TIMELINE|BLAME": (argv, unit) => blame(argv, { ...scene(unit), showsAll: unit.readsAll ?? false }),
      "TIMELINE|DEADLETTERS": (argv) =>
        deadLettersReply(argv, node.removedDataStores.deadLetters, node.timeline.ring),
      "TIMELINE|GET": (argv, { db, id }) => pastState(argv, { recalls, db, id, now: now() }),
      "TIMELINE|LOG": async (argv, unit) => await log(argv, scene(unit)),
      "TIMELINE|OUTCOME": (argv) => envelopeOutcomes(argv, node, recorder),
      "TIMELINE|REPAIR": (argv) => repairMirror(argv, sources.mirror),
      "TIMELINE|STATUS": (argv) => status(argv, sources.figures, node.timeline.index),
    };
  }

  execute(name: TimelineCommandName, argv: readonly ByteString[], unit: QueryUnit): Reply | Promise<Reply> {
    try {
      const reply = this.#handlers[name](argv, unit);
      return reply instanceof Promise ? reply.catch(errorOf) : reply;
    } catch (problem) {
      return errorOf(problem);
    }
  }

  /** Stops all running requests. */
  stop(): void {
    this.recalls.stop();
  }
}

/** Converts an error to the unit's answer. Whatever the error is, the command has changed nothing. */
function errorOf(problem: unknown): Reply {
  if (problem instanceof CommandFailure) return problem.reply;
  const reason = problem instanceof Error ? problem.message : String(problem);
  return error(bytesOfText(`ERR ${reason}`.replaceAll(/[\r\n]+/g, " ")));
}

/** @param argv  `TIMELINE STATUS [UPTO ms]`. @throws CommandFailure */
function status(argv: readonly ByteString[], figures: ReplicaFigures, index: DigestIndex): Reply {
  const upTo = readStatusUpTo(argv);
  if (upTo === null) return figuresReply(TIMELINE_FIGURES, figures);
  const table = { ...TIMELINE_FIGURES, ...UPTO_FIGURES };
  return figuresReply(table, { ...figures, ...upToFigures(upTo, index) });
}

/**
 * Returns the count and sum of the entries up to a whole second, so that daemons can be compared while clients write to
 * them.
 */
function upToFigures(upTo: number, index: DigestIndex): Figures<typeof UPTO_FIGURES> {
  const upto = Math.floor(upTo / 1000) * 1000;
  const sumOf = (set: "ring" | "data") => {
    const { count, sum } = index.digestUpTo(upto, set);
    return `${count}:${hexOf(sum)}`;
  };
  return { upto, ringUpto: sumOf("ring"), dataUpto: sumOf("data") };
}

/** The maximum number of order keys in one command, which take about 84 kB. */
const ORDER_KEYS_MAX = 1000;

/**
 * TIMELINE OUTCOME: returns the outcomes of envelopes that a daemon had accepted before the member list removed it. The
 * client stores the envelopes that no member has as dead letters. Source: docs/protocol-v2.md "TIMELINE".
 * @param argv  `TIMELINE OUTCOME daemon order-key …`, hexadecimal. @throws CommandFailure
 */
function envelopeOutcomes(argv: readonly ByteString[], node: NodeState, recorder: Recorder): Reply {
  const [, , daemon = "", ...orderKeys] = argv;
  if (orderKeys.length > ORDER_KEYS_MAX)
    throw custom(`ERR ${orderKeys.length} order keys are named, but at most ${ORDER_KEYS_MAX} are allowed`);
  const id = bytesOfHex(daemon, HASH_BYTES);
  if (id === undefined) throw custom(`ERR '${echoed(daemon)}' is not a daemon's id of 64 hexadecimal digits`);
  const { state } = recorder;
  if (state !== "live") throw custom(`ERR this daemon is ${state}: send the command to a live one`);
  // Refuse the command if the daemon may still return, because it would then send its entries itself. If an operator
  // wrote them again too, they would exist twice.
  if (node.lists?.membership.removed.has(id) !== true) throw custom(NOT_LEFT);
  return array(orderKeys.map((text) => bulk(outcomeAt(text, node))));
}

function outcomeAt(text: ByteString, { timeline, peering }: NodeState): EntryOutcome {
  const bytes = bytesOfHex(text, ENTRY_ORDER_KEY_BYTES);
  if (bytes === undefined)
    throw custom(
      `ERR '${echoed(text)}' is not an order key of ${2 * ENTRY_ORDER_KEY_BYTES} hexadecimal digits`,
    );
  const orderKey = readOrderKey(Buffer.from(bytes, "latin1"));
  const idsFrom = timeline.prunedTo + 1;
  const isStored = orderKey.at >= idsFrom && timeline.holds(orderKey);
  return entryOutcomeOf(orderKey.at, isStored, { stablePoint: peering.stablePoint, idsFrom });
}

const NOT_LEFT =
  "ERR the list of members does not leave that daemon out: it brings its entries when it returns. If it never will, evict it with dbsync members evict";

interface PastStateContext {
  readonly recalls: Recalls;
  /** Milliseconds since 1970. The state after that time cannot be read. */
  readonly now: number;
  /** The envelope's database. */
  readonly db: number;
  /** The id of the unit that contains the command. */
  readonly id: ByteString;
}

/**
 * TIMELINE GET: runs a reading command on the state as it was at a date.
 * @param argv  `TIMELINE GET ms command …`.
 * @throws CommandFailure
 * @returns a promise that rejects with RecallFailure if the history cannot be read
 */
async function pastState(
  argv: readonly ByteString[],
  { recalls, now, db, id }: PastStateContext,
): Promise<Reply> {
  const at = readDate(argv[2] as ByteString, "the date");
  if (at > now) throw custom(`ERR the date is ${at - now} ms ahead of this daemon's clock`);

  const pastCommand = argv.slice(PAST_COMMAND_AT);
  const command = commandTable.resolve(pastCommand);
  if (command instanceof CommandFailure) return command.reply;
  if (!command.reads)
    throw custom(
      `ERR '${echoed(command.name.toLowerCase())}' does not read data: the past cannot be changed`,
    );

  const { fold, damaged } = await recalls.run({ from: at + 1, until: at, begun: () => {}, found: () => {} });
  if (damaged > 0)
    throw new RecallFailure(
      `${damaged} entries of the timeline are damaged here, so the past state is uncertain: send the command to another daemon`,
    );

  return fold.database.run(command, pastCommand, { at, db, id });
}

/**
 * The size in bytes above which a dead letter's commands are not read, because reading from the disk delays clients.
 */
const READ_BYTES_MAX = 64 * 1024;

/**
 * TIMELINE DEADLETTERS: lists the dead letters in this daemon's data folder, which are acknowledged writes that the
 * daemon had to drop.
 * @param folder  the folder of dead letters, or null if there is no data folder @throws CommandFailure
 */
export function deadLettersReply(
  argv: readonly ByteString[],
  folder: DeadLetterFolder | null,
  ring: KeyRing,
): Reply {
  const { from, limit } = readDeadLettersQuery(argv);
  const { deadLetters, unread } = folder?.list() ?? { deadLetters: [], unread: [] };
  const later = deadLetters.filter(({ orderKey }) => orderKey.at >= from);
  const shown = later.slice(0, limit);
  return map(
    namesAndValues({
      unread: integer(unread.length),
      left: integer(later.length - shown.length),
      letters: array(shown.map((deadLetter) => deadLetterReply(deadLetter, folder, ring))),
    }),
  );
}

function deadLetterReply(deadLetter: DeadLetter, folder: DeadLetterFolder | null, ring: KeyRing): Reply {
  const { orderKey, state, since, reason, from, to } = deadLetter;
  const entry = to - from > READ_BYTES_MAX ? null : (folder?.entry(deadLetter) ?? null);

  return map(
    namesAndValues({
      at: integer(orderKey.at),
      id: bulk(hexOf(orderKey.id)),
      state: bulk(state),
      since: since === null ? NIL : integer(Math.floor(since)),
      reason: bulk(reason),
      bytes: integer(to - from),
      signer: entry === null ? NIL : bulk(hexOf(entry.envelope.key)),
      label: bulk(entry === null ? "" : (ring.find(entry.envelope.key)?.label ?? "")),
      db: entry === null ? NIL : integer(entry.envelope.db),
      commands: entry === null ? NIL : shownCommands(deadCommandsOf(entry, deadLetter)),
    }),
  );
}

/** Returns the commands of an entry that are dead letters. */
function deadCommandsOf({ body }: Entry, deadLetter: DeadLetter): Envelope["commands"] {
  const envelope = readEntryBody(body);
  return deadUnitsOf(envelope, deadLetter).flatMap((unit) => commandsIn(envelope, unit));
}

/** Returns the figures as a map, in the table's order. */
function figuresReply<Table extends FigureTable>(table: Table, figures: Figures<Table>): Reply {
  return map(
    Object.entries(table).flatMap(([name, row]) => [bulk(wireName(name)), valueReply(row, figures[name])]),
  );
}

function valueReply(row: Figure, value: unknown): Reply {
  if (value === null) return NIL;
  switch (row.kind) {
    case "list":
      return array((value as Figures<FigureTable>[]).map((each) => figuresReply(row.of, each)));
    case "map":
      return figuresReply(row.of, value as Figures<FigureTable>);
    case "bytes-list":
      return array((value as string[]).map(bulk));
    case "bytes":
      return bulk(value as string);
    case "text":
    case "text-or-nil":
      return bulk(bytesOfText(value as string));
    default:
      return integer(Math.round(Number(value)));
  }
}
