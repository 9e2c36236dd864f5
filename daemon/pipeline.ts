/**
 * The path of a command, from any listener to the databases and back:
 * decode → verify → authorize → dedupe → apply. Its unit of work is one request, a command of version 1 or an envelope
 * of version 2; every refusal is a value. The order of the checks is that of docs/protocol-v2.md.
 */
import type { Logger } from "pino";
import type { ByteString } from "../protocol/byte-string.js";
import { splitCommand } from "../protocol/command-v1.js";
import { type Envelope, readBody, signedPieces, signerOf, unitId } from "../protocol/envelope.js";
import { MalformedFrame } from "../protocol/errors.js";
import type { CommandMessage, DaemonState } from "../protocol/messages-v2.js";
import type { KeyRecord } from "../store/key-ring.js";
import type { Unit } from "../store/unit.js";
import type { Databases } from "./databases.js";
import type { DateWindow } from "./date-window.js";
import { type Audience, checkAudience, checkDate, checkValidity } from "./envelope-checks.js";
import type { Environment } from "./environment.js";
import { Newest } from "./newest.js";
import type { Observer } from "./observer.js";
import { Rates } from "./rates.js";
import {
  type Answer,
  type EnvelopeAnswer,
  type Refused,
  type RefusedEnvelope,
  type Request,
  refused,
} from "./request.js";
import { Seen, type SeenBounds } from "./seen.js";
import type { Signers } from "./signers.js";
import { isDenied, type Taken, Units } from "./units.js";
import { isCarriedByVersion1 } from "./version-1-commands.js";
import { Waiters } from "./waiters.js";

export interface PipelineParts {
  readonly databases: Databases;
  /** null: a daemon without keys, which takes unsigned commands only. */
  readonly signers: Signers | null;
  readonly environment: Environment;
  readonly log: Logger;
  readonly observer: Observer;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** SHA-256 of all pieces together. */
  readonly hash: (...pieces: readonly Buffer[]) => ByteString;
  readonly window: DateWindow;
  readonly remembered: SeenBounds;
  /** Nothing dated at or before it is taken. */
  readonly floor: number;
}

const INSTANCE_BYTES = 32;
const COUNTER_MOST = 0xffffffff;
/** As in Redis before 7.0. A frame of 64 MiB could hold 32 million, which cost far more memory than their bytes. */
const MAX_ARGUMENTS = 1024 * 1024;
/** Of an order key: `at`, `seq`, then the envelope's id. */
const ID_IN_ORDER_KEY = [10, 42] as const;

export class Pipeline {
  /** Replaced when the keys are read again. */
  signers: Signers | null;
  /** What was applied with the highest date. */
  readonly newest = new Newest();
  readonly seen: Seen;
  readonly #parts: PipelineParts;
  readonly #units: Units;
  readonly #rates = new Rates();
  readonly #waiters = new Waiters();
  /** Tells this process's units from those of all others; a counter tells them from each other. */
  #instance: ByteString;
  #counter = 0;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.signers = parts.signers;
    this.seen = new Seen(parts.floor, parts.remembered);
    this.#units = new Units(parts);
    this.#instance = parts.environment.randomBytes(INSTANCE_BYTES);
  }

  get state(): DaemonState {
    return this.#parts.environment.clock() < this.#parts.floor ? "catching-up" : "live";
  }

  /** Version 1. At once where all databases answer at once: a promise costs more than a command in memory. */
  handle(request: Request): Answer | Promise<Answer> {
    const signer = this.#verify(request);
    if (signer !== null && "kind" in signer) return signer;
    if (hasTooManyArguments(request.text)) return refused("too-many-arguments", `over ${MAX_ARGUMENTS}`);
    const argv = splitCommand(request.text);
    if (argv.length === 0) return refused("empty-command", "nothing but blanks");
    const denial = this.#authorize(argv, signer);
    if (denial !== null) return denial;
    return this.#parts.databases.executeInTurn(argv, this.#nextUnit());
  }

  /** Version 2. @param room  bytes that the replies may have together */
  take(message: CommandMessage, room: number): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const id = this.#parts.hash(...signedPieces(message.body));
    const identified = reading(() => this.#identify(message, id));
    if ("kind" in identified) return notApplied(id, identified);
    const envelope = reading(() => readBody(message.body));
    if ("kind" in envelope) return notApplied(id, envelope);
    const taken: Taken = { id, envelope, signer: identified, bytes: message.body.length, room };
    const misdirected = this.#address(taken);
    if (misdirected !== null) return notApplied(id, misdirected);
    return this.#firstAnswer(taken) ?? this.#admit(taken);
  }

  /** Envelopes that wait for others are refused. */
  stop(): void {
    this.#waiters.stop();
  }

  /** Before anything is looked at but the frame: what is not signed is not parsed. */
  #verify({ text, signature }: Request): KeyRecord | null | Refused {
    if (this.signers === null) return signature === null ? null : refused("not-due", "a signed command");
    if (signature === null) return refused("unsigned", "a command without a signature");
    const { environment, observer } = this.#parts;
    const before = environment.uptime();
    const signer = this.signers.ofCommand(text, signature);
    observer.verified(environment.uptime() - before);
    if (signer === undefined) {
      return refused(
        "bad-signature",
        `a signature of ${signature.length} bytes that no key of this daemon made`,
      );
    }
    return this.#checkKey(signer, this.#parts.environment.clock()) ?? signer;
  }

  #authorize(argv: readonly ByteString[], signer: KeyRecord | null): Refused | null {
    if (!isCarriedByVersion1(argv)) return refused("not-permitted", `${argv[0]}: version 2 only`);
    if (signer === null || this.signers === null) return null;
    const denial = this.signers.ring.judge(signer, [argv], { conditions: null });
    // What is wrong with a command otherwise the database says.
    return denial === null || !isDenied(denial) ? null : refused("not-permitted", denial.text);
  }

  #nextUnit(): Unit {
    if (this.#counter === COUNTER_MOST) {
      this.#instance = this.#parts.environment.randomBytes(INSTANCE_BYTES);
      this.#counter = 0;
    }
    this.newest.raise(this.#parts.environment.clock(), 0);
    return { at: this.newest.at, db: 0, id: unitId(this.#instance, ++this.#counter) };
  }

  /** Whose envelope it is; nothing of it is looked at but the key's id before the signature holds. */
  #identify(message: CommandMessage, id: ByteString): KeyRecord | Refused {
    const { signers } = this;
    const { environment, observer } = this.#parts;
    if (signers === null) return refused("not-due", "an envelope");
    const { body, signature } = message;
    const key = signerOf(body);
    const signer = signers.ring.find(key);
    if (signer === undefined)
      return refused("unknown-key", `key ${Buffer.from(key, "latin1").toString("hex")}`);
    const invalid = this.#checkKey(signer, environment.clock());
    if (invalid !== null) return invalid;
    const before = environment.uptime();
    const holds = signers.verify(signer, message, id);
    observer.verified(environment.uptime() - before);
    return holds ? signer : refused("bad-signature", `a signature of ${signature.length} bytes`);
  }

  #checkKey(signer: KeyRecord, at: number): Refused | null {
    return checkValidity(signer, this.signers?.ring.validity(signer, at) ?? "revoked");
  }

  /** Whether it is meant for this daemon, and its key was valid at its date. */
  #address({ envelope, signer }: Taken): Refused | null {
    const { databases, daemon } = this.#parts;
    const audience: Audience = {
      cluster: this.signers?.cluster ?? "",
      daemon,
      databases: databases.numbers,
      takesConditions: databases.takeConditions,
    };
    return checkAudience(envelope, signer, audience) ?? this.#checkKey(signer, envelope.at);
  }

  /** What it was answered before. null: it was not seen, or its date has left the window. */
  #firstAnswer({ id, envelope }: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer> | null {
    const clock = this.#parts.environment.clock();
    this.seen.forget(clock, clock - this.#parts.window.past);
    const found = this.seen.find(id, envelope.at);
    if (found === undefined) return null;
    return (
      found ?? { kind: "refused", id, effect: "unknown", code: "answer-not-kept", detail: "seen before" }
    );
  }

  /** From here on its id is remembered, whatever becomes of it: what was refused once must not be applied later. */
  #admit(taken: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const refusal = this.#checkDate(taken) ?? this.#checkRate(taken) ?? this.#makeRoom(taken);
    if (refusal !== null) return refusal;
    const { after } = taken.envelope;
    return this.#remember(taken, after === null ? this.#apply(taken) : this.#applyAfter(taken, after));
  }

  #checkDate(taken: Taken): EnvelopeAnswer | null {
    const { environment, observer, window } = this.#parts;
    const { at } = taken.envelope;
    const clock = environment.clock();
    observer.skewed(at - clock);
    const skewed = checkDate(at, clock, window);
    if (skewed === null) return this.#checkFloor(taken);
    if (at >= clock) return this.#refuse(taken, skewed);
    this.seen.floor = Math.max(this.seen.floor, at);
    return notApplied(taken.id, skewed);
  }

  #checkFloor({ id, envelope }: Taken): EnvelopeAnswer | null {
    const early = this.seen.floor - envelope.at;
    if (early < 0) return null;
    const code = this.state === "catching-up" ? "catching-up" : "too-old";
    return notApplied(id, refused(code, `dated ${early} ms too early`));
  }

  #checkRate(taken: Taken): EnvelopeAnswer | null {
    const { id, rate } = taken.signer;
    if (rate === 0 || this.#rates.take(id, rate, this.#parts.environment.uptime())) return null;
    return this.#refuse(taken, refused("over-rate", `${rate} a second`));
  }

  /** After everything that may refuse it: what is not taken makes nobody else's be forgotten. */
  #makeRoom(taken: Taken): EnvelopeAnswer | null {
    const { seen } = this;
    const room = seen.makeRoom(this.#parts.environment.clock());
    if (room === false) return unknown(notApplied(taken.id, refused("memory-full", `${seen.size} ids`)));
    if (room === true) return null;
    this.#parts.log.warn({ takesFrom: room + 1 }, FORGOTTEN_EARLY);
    return this.#checkFloor(taken);
  }

  /** What would be taken another time is certain not to be applied only as long as it is remembered. */
  #refuse({ id, envelope, signer }: Taken, refusal: Refused): EnvelopeAnswer {
    const answer = notApplied(id, refusal);
    if (!this.seen.addRefused(id, envelope.at, signer.id, answer)) return unknown(answer);
    this.#waiters.applied(id);
    return answer;
  }

  #remember(
    { id, envelope }: Taken,
    answer: EnvelopeAnswer | Promise<EnvelopeAnswer>,
  ): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    this.seen.add(id, envelope.at, answer);
    if (!(answer instanceof Promise)) {
      this.#waiters.applied(id);
      return answer;
    }
    return answer.then((settled) => {
      this.seen.settle(id, envelope.at, settled);
      this.#waiters.applied(id);
      return settled;
    });
  }

  async #applyAfter(taken: Taken, after: ByteString): Promise<EnvelopeAnswer> {
    const held = await this.#held(after, taken);
    if (!held) return notApplied(taken.id, refused("not-yet", "what it names in `after` did not come"));
    // Looked up anew: it may have been revoked meanwhile.
    const signer = this.signers?.ring.find(taken.signer.id);
    if (signer === undefined) return notApplied(taken.id, refused("unknown-key", "the key is gone"));
    const invalid = this.#checkKey(signer, this.#parts.environment.clock());
    return invalid === null ? await this.#apply(taken) : notApplied(taken.id, invalid);
  }

  async #held(after: ByteString, { signer, bytes }: Taken): Promise<boolean> {
    const id = after.slice(...ID_IN_ORDER_KEY);
    const at = Number(Buffer.from(after, "latin1").readBigUInt64BE());
    if (this.seen.isApplied(id, at)) return true;
    // What is dated there never comes any more.
    if (at <= this.seen.floor) return false;
    return (await this.#waiters.wait(id, signer.id, bytes)) && this.seen.isApplied(id, at);
  }

  #apply(taken: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const { signers } = this;
    if (signers === null) return notApplied(taken.id, refused("not-due", "the keys are gone"));
    this.newest.note(taken.envelope);
    return this.#units.apply(taken, signers.ring);
  }
}

const FORGOTTEN_EARLY =
  "remembering as many envelopes as --max-remembered says: older ones are refused from now on";

function notApplied(id: ByteString, { code, detail }: Refused): RefusedEnvelope {
  return { kind: "refused", id, code, detail, effect: "not-applied" };
}

const unknown = (answer: RefusedEnvelope): RefusedEnvelope => ({ ...answer, effect: "unknown" });

/** Bytes that are no body are refused. */
function reading<T extends Envelope | KeyRecord | Refused>(read: () => T): T | Refused {
  try {
    return read();
  } catch (problem) {
    if (problem instanceof MalformedFrame) return refused("malformed", problem.message);
    throw problem;
  }
}

function hasTooManyArguments(text: Buffer): boolean {
  if (text.length <= 2 * MAX_ARGUMENTS) return false;
  let blanks = 0;
  for (let at = text.indexOf(" "); at >= 0; at = text.indexOf(" ", at + 1)) blanks++;
  return blanks >= MAX_ARGUMENTS;
}
