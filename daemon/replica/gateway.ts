/**
 * The way in for commands without a signature of version 2: what comes in one turn of the event loop, or while the envelope
 * before is on its way to the disk, is signed together by the daemon's own key, recorded as if a client had sent it, and
 * given to the peers at once. Source: DESIGN.md "Keys and permission", "Wire, version 1".
 */
import type { Logger } from "pino";
import { signEnvelope } from "../../keys/sign.js";
import type { ByteString } from "../../protocol/byte-string.js";
import {
  bodyOf,
  COMMANDS_MAX,
  type Condition,
  envelopeOf,
  NONCE_BYTES,
  SEQ_MAX,
} from "../../protocol/version-2/envelope.js";
import { writeSigned } from "../../protocol/version-2/envelope-body.js";
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import type { Environment } from "../../serving/process/environment.js";
import { isKeyCommand, type KeyRing } from "../../store/key-ring.js";
import { type Entry, placeOf } from "../../timeline/entries/entry.js";
import { type Refused, refused } from "../answers/request.js";
import { LIMITS } from "../options/limits.js";
import { checkRing } from "../pipeline/envelope-checks.js";
import { hashOf, type Identity } from "../trust/identity.js";
import type { LastWrite } from "../users/command-path.js";
import type { Confirmations } from "./confirmations.js";
import { answerTo, answerUnits, type GatewayAnswer, type GatewayWaiter, tellAll } from "./gateway-waiter.js";
import type { Recorder } from "./recorder.js";
import { SigningPace } from "./signing-pace.js";

export interface GatewayParts {
  readonly identity: Identity;
  /** 32 bytes. */
  readonly cluster: ByteString;
  readonly recorder: Pick<Recorder, "records" | "record" | "refusal" | "newest" | "ring">;
  /** Nothing dated at or before it would be taken. */
  readonly watermark: () => number;
  readonly environment: Pick<Environment, "clock" | "randomBytes" | "setTimer">;
  /** Runs a step in the next turn of the event loop. */
  readonly soon: (step: () => void) => void;
  /** Milliseconds ahead of the clock that a date may lie. */
  readonly future: number;
  /** What answers wait for that are to be final. */
  readonly confirmations: Pick<Confirmations, "confirm">;
  /** Hands an entry to the peers, once it is on the disk. */
  readonly give: (entry: Entry) => void;
  readonly log: Pick<Logger, "warn">;
}

/** For whom a command is. */
export interface GatewayUser {
  readonly db: number;
  /** As the audit names who sent it; null: nobody was asked. */
  readonly as: ByteString | null;
  /** Whether the answer waits until the command's place is final. */
  readonly isStable?: boolean;
  /** Told before the answer whether another daemon has the write on its disk: the answer waits for that, but not an error. */
  readonly replicated?: ((came: boolean) => void) | undefined;
  /** Filled in when the command is recorded. */
  readonly lastWrite?: LastWrite | undefined;
}

type Argv = readonly ByteString[];

/** What makes one envelope. */
interface Group {
  readonly db: number;
  readonly as: ByteString | null;
  readonly isRing: boolean;
  /** Whether all commands are one unit. */
  readonly multi: boolean;
  readonly conditions: readonly Condition[] | null;
  readonly commands: Argv[];
  readonly waiting: GatewayWaiter[];
  /** Of the commands, roughly. */
  bytes: number;
}

/** A group is closed at this size: larger ones save nothing more. */
const GROUP_BYTES = 256 * 1024;
/** What every daemon takes of another; version 1 writes a command shorter than an envelope does. */
const COMMAND_BYTES_MAX = LIMITS.maxRequestBytes.most;
/** What stands before an argument, and behind it, at most. */
const ARGUMENT_BYTES = 16;

export class Gateway {
  readonly #parts: GatewayParts;
  #groups: Group[] = [];
  /** The group that a user's next command may join; "": nobody's. */
  #open = new Map<ByteString, Group>();
  #last: EnvelopeDate = { at: 0, seq: 0 };
  readonly #pace: SigningPace;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    const { soon, environment } = parts;
    this.#pace = new SigningPace({ soon, environment, sign: () => this.#signAll() });
  }

  /** Whether a command has to come this way: others are read. */
  takes(argv: Argv): boolean {
    return this.#parts.recorder.records({ commands: [argv] });
  }

  /** Records a command. A user's commands are applied in the order in which they came. */
  execute(argv: Argv, user: GatewayUser): Promise<GatewayAnswer> {
    return answerTo(user, (waiter) => this.send(argv, user, waiter));
  }

  /** The same for one who needs no promise. @returns why it is refused, and nobody waits; null: it is not */
  send(argv: Argv, user: GatewayUser, waiter: GatewayWaiter): Refused | null {
    const bytes = bytesOf(argv);
    if (bytes > COMMAND_BYTES_MAX) return tooLong(bytes);
    const group = this.#groupFor(user, isKeyCommand(argv));
    group.commands.push(argv);
    group.waiting.push(waiter);
    group.bytes += bytes;
    this.#pace.came(1);
    return null;
  }

  /**
   * Records commands as one unit, applied if all conditions hold.
   * @returns an array of their replies; `nil-array`: a condition does not hold; an error: none was applied
   */
  executeTogether(
    commands: readonly Argv[],
    conditions: readonly Condition[],
    user: GatewayUser,
  ): Promise<GatewayAnswer> {
    const keys = conditions.map(({ key }) => key);
    const bytes = commands.reduce((sum, argv) => sum + bytesOf(argv), bytesOf(keys));
    if (bytes > COMMAND_BYTES_MAX) return Promise.resolve(tooLong(bytes));
    if (commands.length > COMMANDS_MAX)
      return Promise.resolve(refused("command-too-long", `${commands.length} commands as one`));
    const { db, as } = user;
    // What the user sends next stands behind it.
    this.#open.delete(as ?? "");
    const named = conditions.length === 0 ? null : conditions;
    const isRing = commands.some(isKeyCommand);
    const group = this.#addGroup({ db, as, isRing, multi: true, conditions: named });
    group.commands.push(...commands);
    group.bytes += bytes;
    this.#pace.came(commands.length);
    return answerTo(user, (waiter) => {
      group.waiting.push(waiter);
      return null;
    });
  }

  /** @param isRing  whether it is a command of the key ring: no daemon takes these among others */
  #groupFor({ db, as }: GatewayUser, isRing: boolean): Group {
    const open = this.#open.get(as ?? "");
    const isFull = open !== undefined && (open.bytes >= GROUP_BYTES || open.commands.length >= COMMANDS_MAX);
    if (open !== undefined && open.db === db && open.isRing === isRing && !isFull) return open;
    const group = this.#addGroup({ db, as, isRing, multi: false, conditions: null });
    this.#open.set(as ?? "", group);
    return group;
  }

  #addGroup(head: Omit<Group, "commands" | "waiting" | "bytes">): Group {
    const group: Group = { ...head, commands: [], waiting: [], bytes: 0 };
    this.#groups.push(group);
    return group;
  }

  #signAll(): void {
    const groups = this.#groups;
    this.#groups = [];
    // Cleared, what it had would live on: the engine leads from the old table to the new one, and one that has grown old keeps all
    // that come after it.
    this.#open = new Map();
    for (const group of groups) {
      const refusal = this.#parts.recorder.refusal() ?? this.#checkClock() ?? this.#enter();
      if (refusal === null) this.#record(group);
      else tellAll(group.waiting, refusal);
    }
  }

  #record(group: Group): void {
    const { waiting } = group;
    const entry = this.#sign(group, group.commands);
    // What members would not take of it must not be here either.
    const refusal = group.isRing ? checkRing(entry.envelope, entry.body.length) : null;
    const recorded = refusal ?? this.#parts.recorder.record(entry);
    if ("kind" in recorded) {
      tellAll(waiting, recorded);
      return;
    }
    const place = placeOf(entry);
    for (const { lastWrite } of waiting) if (lastWrite !== undefined) lastWrite.place = place;
    this.#parts.give(entry);
    this.#pace.recorded();
    const { length } = group.commands;
    const done = () => this.#pace.flushed(length);
    recorded.flushed.then(
      () => {
        answerUnits(waiting, recorded.answers, place, this.#parts.confirmations);
        done();
      },
      ({ message }: Error) => {
        tellAll(waiting, refused("storage-failed", `it may have been applied: ${message}`));
        done();
      },
    );
  }

  /** Sees to it that the own key is in the ring. @returns why it cannot be */
  #enter(): Refused | null {
    const { identity, recorder, log } = this.#parts;
    const known = recorder.ring.find(identity.id);
    if (known?.revokedAt === null) return null;
    if (known !== undefined) return refused("not-let-in", "its key was revoked");
    const command = introductionOf(identity);
    if (!mayEnter(recorder.ring, identity)) return refused("not-let-in", `sign ${command.join(" ")}`);
    const entry = this.#sign({ db: 0, as: null, multi: false, conditions: null }, [command]);
    const recorded = recorder.record(entry);
    if ("kind" in recorded) return recorded;
    this.#parts.give(entry);
    recorded.flushed.catch((problem: Error) => log.warn({ reason: problem.message }, "not let in"));
    return null;
  }

  #sign(
    { db, as, multi, conditions }: Pick<Group, "db" | "as" | "multi" | "conditions">,
    commands: readonly Argv[],
  ): Entry {
    const { identity, cluster, environment } = this.#parts;
    const nonce = environment.randomBytes(NONCE_BYTES);
    this.#last = this.#nextDate();
    const header = { key: identity.id, cluster, nonce, db, as, multi, if: conditions, ...this.#last };
    const signed = writeSigned(header, commands);
    const signature = signEnvelope(signed, identity.key);
    // Reading what was just written would cost as much as applying it.
    return { id: hashOf(signed), body: bodyOf(signed), signature, envelope: envelopeOf(header, commands) };
  }

  /** Behind everything that was applied here or dated before. */
  #nextDate(): EnvelopeDate {
    const { environment, recorder, watermark } = this.#parts;
    const { newest } = recorder;
    const last = this.#last;
    const isNewer = newest.at > last.at || (newest.at === last.at && newest.seq > last.seq);
    const { at, seq } = isNewer ? newest : last;
    const first = Math.max(environment.clock(), watermark() + 1);
    if (first > at) return { at: first, seq: 0 };
    return seq < SEQ_MAX ? { at, seq: seq + 1 } : { at: at + 1, seq: 0 };
  }

  /** What it would date is not to lie further ahead than a client may date. */
  #checkClock(): Refused | null {
    const ahead = this.#nextDate().at - this.#parts.environment.clock();
    return ahead > this.#parts.future ? refused("clock-off", `it would be dated ${ahead} ms ahead`) : null;
  }
}

/** Of what is not written yet: written, it could be longer than any string. */
function bytesOf(argv: Argv): number {
  let bytes = ARGUMENT_BYTES;
  for (const argument of argv) bytes += ARGUMENT_BYTES + argument.length;
  return bytes;
}

const tooLong = (bytes: number): Refused => refused("command-too-long", `signed, it takes ${bytes} bytes`);

/** What lets a daemon's key in. */
export function introductionOf({ spki }: Identity): Argv {
  return ["CLUSTER", "ADD", Buffer.from(spki, "latin1").toString("base64")];
}

/** Whether a daemon's key may let itself in: no administrator is there to do it. */
export function mayEnter(ring: KeyRing, identity: Identity): boolean {
  return ring.introduction([introductionOf(identity)], identity.id, 0) !== null;
}
