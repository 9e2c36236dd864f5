/**
 * The way in for commands without a signature of version 2: what comes in one turn of the event loop is signed together by
 * the daemon's own key, recorded as if a client had sent it, and given to the peers at once.
 * Source: DESIGN.md "Keys and permission", "Wire, version 1".
 */
import type { Logger } from "pino";
import { signEnvelope } from "../keys/sign.js";
import type { ByteString } from "../protocol/byte-string.js";
import {
  COMMANDS_MAX,
  type Condition,
  NONCE_BYTES,
  readBody,
  SEQ_MAX,
  signedBytes,
  writeBody,
} from "../protocol/envelope.js";
import type { EnvelopeDate } from "../protocol/messages-v2.js";
import type { Reply } from "../protocol/reply.js";
import { writeCommand } from "../protocol/resp-writer.js";
import type { KeyRing } from "../store/key-ring.js";
import { type Entry, placeOf } from "../timeline/entry.js";
import type { LastWrite } from "./command-path.js";
import type { Confirmations } from "./confirmations.js";
import type { Environment } from "./environment.js";
import { hashOf, type Identity } from "./identity.js";
import { LIMITS } from "./limits.js";
import type { Recorded, Recorder } from "./recorder.js";
import { type Refused, refused } from "./request.js";

/** The command's reply, errors among them; or it was not answered, and the code says why. */
export type GatewayAnswer = Reply | Refused;

export interface GatewayParts {
  readonly identity: Identity;
  /** 32 bytes. */
  readonly cluster: ByteString;
  readonly recorder: Pick<Recorder, "records" | "record" | "refusal" | "newest" | "ring">;
  /** Nothing dated at or before it would be taken. */
  readonly watermark: () => number;
  readonly environment: Pick<Environment, "clock" | "randomBytes">;
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

/** Of one unit. */
interface Waiting {
  readonly isStable: boolean;
  readonly replicated: ((came: boolean) => void) | undefined;
  readonly lastWrite: LastWrite | undefined;
  readonly resolve: (answer: GatewayAnswer) => void;
}

/** What makes one envelope. */
interface Group {
  readonly db: number;
  readonly as: ByteString | null;
  /** Whether all commands are one unit. */
  readonly multi: boolean;
  readonly conditions: readonly Condition[] | null;
  readonly commands: ByteString[];
  readonly waiting: Waiting[];
  bytes: number;
}

/** Daemons that have it, where somebody asks whether it is replicated. */
const ITSELF_AND_ANOTHER = 2;
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
  readonly #open = new Map<ByteString, Group>();
  #last: EnvelopeDate = { at: 0, seq: 0 };

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /** Whether a command has to come this way: others are read. */
  takes(argv: readonly ByteString[]): boolean {
    return this.#parts.recorder.records({ commands: [argv] });
  }

  /** Records a command. A user's commands are applied in the order in which they came. */
  execute(argv: readonly ByteString[], user: GatewayUser): Promise<GatewayAnswer> {
    const bytes = bytesOf([argv]);
    if (bytes > COMMAND_BYTES_MAX) return tooLong(bytes);
    return this.#join(this.#groupFor(user), [writeCommand(argv)], user);
  }

  /**
   * Records commands as one unit, applied if all conditions hold.
   * @returns an array of their replies; `nil-array`: a condition does not hold; an error: none was applied
   */
  executeTogether(
    commands: readonly (readonly ByteString[])[],
    conditions: readonly Condition[],
    user: GatewayUser,
  ): Promise<GatewayAnswer> {
    const bytes = bytesOf(commands) + bytesOf([conditions.map(({ key }) => key)]);
    if (bytes > COMMAND_BYTES_MAX) return tooLong(bytes);
    if (commands.length > COMMANDS_MAX)
      return Promise.resolve(refused("command-too-long", `${commands.length} commands as one`));
    const { db, as } = user;
    // What the user sends next stands behind it.
    this.#open.delete(as ?? "");
    const named = conditions.length === 0 ? null : conditions;
    return this.#join(
      this.#addGroup({ db, as, multi: true, conditions: named }),
      commands.map(writeCommand),
      user,
    );
  }

  #join(
    group: Group,
    commands: readonly ByteString[],
    { isStable = false, replicated, lastWrite }: GatewayUser,
  ): Promise<GatewayAnswer> {
    return new Promise((resolve) => {
      for (const bytes of commands) {
        group.commands.push(bytes);
        group.bytes += bytes.length;
      }
      group.waiting.push({ isStable, replicated, lastWrite, resolve });
    });
  }

  #groupFor({ db, as }: GatewayUser): Group {
    const open = this.#open.get(as ?? "");
    const isFull = open !== undefined && (open.bytes >= GROUP_BYTES || open.commands.length >= COMMANDS_MAX);
    if (open !== undefined && open.db === db && !isFull) return open;
    const group = this.#addGroup({ db, as, multi: false, conditions: null });
    this.#open.set(as ?? "", group);
    return group;
  }

  #addGroup(head: Pick<Group, "db" | "as" | "multi" | "conditions">): Group {
    if (this.#groups.length === 0) this.#parts.soon(() => this.#flush());
    const group: Group = { ...head, commands: [], waiting: [], bytes: 0 };
    this.#groups.push(group);
    return group;
  }

  #flush(): void {
    const groups = this.#groups;
    this.#groups = [];
    this.#open.clear();
    for (const group of groups) {
      const refusal = this.#parts.recorder.refusal() ?? this.#checkClock() ?? this.#enter();
      if (refusal === null) this.#record(group);
      else for (const { resolve } of group.waiting) resolve(refusal);
    }
  }

  #record(group: Group): void {
    const { waiting } = group;
    const entry = this.#sign(group, group.commands);
    const recorded = this.#parts.recorder.record(entry);
    if ("kind" in recorded) {
      for (const { resolve } of waiting) resolve(recorded);
      return;
    }
    const place = placeOf(entry);
    for (const { lastWrite } of waiting) if (lastWrite !== undefined) lastWrite.place = place;
    this.#parts.give(entry);
    recorded.flushed.then(
      () => this.#answer(waiting, recorded, entry),
      (problem: Error) => {
        const failed = refused("storage-failed", `it may have been applied: ${problem.message}`);
        for (const { resolve } of waiting) resolve(failed);
      },
    );
  }

  #answer(waiting: readonly Waiting[], { answers }: Recorded, { id, envelope: { at, seq } }: Entry): void {
    const replyTo = (index: number) => (answers[index] as { reply: Reply }).reply;
    const place = { at, seq, id };
    const stable = waiting.some(({ isStable }) => isStable)
      ? this.#parts.confirmations.confirm(place, { kind: "stable" })
      : null;
    const replicated = waiting.some((one) => one.replicated !== undefined)
      ? this.#parts.confirmations.confirm(place, { kind: "replicated", daemons: ITSELF_AND_ANOTHER })
      : null;
    for (const [index, one] of waiting.entries()) {
      const reply = replyTo(index);
      if (one.isStable)
        stable?.then((came) => one.resolve(came ? reply : refused("not-stable", "not in time")));
      else if (one.replicated === undefined || reply.kind === "error") one.resolve(reply);
      else
        replicated?.then((came) => {
          one.replicated?.(came);
          one.resolve(reply);
        });
    }
  }

  /** Sees to it that the own key is in the ring. @returns why it cannot be */
  #enter(): Refused | null {
    const { identity, recorder, log } = this.#parts;
    const known = recorder.ring.find(identity.id);
    if (known?.revokedAt === null) return null;
    if (known !== undefined) return refused("not-let-in", "its key was revoked");
    const command = introductionOf(identity);
    if (!mayEnter(recorder.ring, identity)) return refused("not-let-in", `sign ${command.join(" ")}`);
    const entry = this.#sign({ db: 0, as: null, multi: false, conditions: null }, [writeCommand(command)]);
    const recorded = recorder.record(entry);
    if ("kind" in recorded) return recorded;
    this.#parts.give(entry);
    recorded.flushed.catch((problem: Error) => log.warn({ reason: problem.message }, "not let in"));
    return null;
  }

  #sign(
    { db, as, multi, conditions }: Pick<Group, "db" | "as" | "multi" | "conditions">,
    commands: readonly ByteString[],
  ): Entry {
    const { identity, cluster, environment } = this.#parts;
    const nonce = environment.randomBytes(NONCE_BYTES);
    this.#last = this.#nextDate();
    const header = { key: identity.id, cluster, nonce, db, as, multi, if: conditions, ...this.#last };
    const body = Buffer.from(writeBody(header, commands), "latin1");
    const signed = signedBytes(body);
    const signature = signEnvelope(signed, identity.key);
    return { id: hashOf(signed), body, signature, envelope: readBody(body) };
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
function bytesOf(commands: readonly (readonly ByteString[])[]): number {
  return commands.reduce(
    (sum, argv) => argv.reduce((of, { length }) => of + ARGUMENT_BYTES + length, sum + ARGUMENT_BYTES),
    0,
  );
}

function tooLong(bytes: number): Promise<Refused> {
  return Promise.resolve(refused("command-too-long", `signed, it takes ${bytes} bytes`));
}

/** What lets a daemon's key in. */
export function introductionOf({ spki }: Identity): readonly ByteString[] {
  return ["CLUSTER", "ADD", Buffer.from(spki, "latin1").toString("base64")];
}

/** Whether a daemon's key may let itself in: no administrator is there to do it. */
export function mayEnter(ring: KeyRing, identity: Identity): boolean {
  return ring.introduction([introductionOf(identity)], identity.id, 0) !== null;
}
