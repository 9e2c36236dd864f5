/**
 * An envelope's units: each is permitted by the key ring, or answered with the reason; then it goes to the key ring
 * itself (KEY) or to the databases. Source: docs/protocol-v2.md "Units".
 */
import type { Logger } from "pino";
import type { ByteString } from "../protocol/byte-string.js";
import { type Envelope, hexOf, unitId } from "../protocol/envelope.js";
import { array, type ErrorReply, error, NIL_ARRAY, OK, type Reply } from "../protocol/reply.js";
import { writeReply } from "../protocol/resp-writer.js";
import { isKeyCommand, type JudgeOptions, type KeyRecord, type KeyRing } from "../store/key-ring.js";
import type { Unit } from "../store/unit.js";
import type { Outcome } from "./backends/backend.js";
import { type Databases, effectOf, replyOrFailure } from "./databases.js";
import type { EnvelopeAnswer } from "./request.js";

/** An envelope whose signature, header and date are right. */
export interface Taken {
  readonly id: ByteString;
  readonly envelope: Envelope;
  readonly signer: KeyRecord;
  /** Of its body. */
  readonly bytes: number;
  /** Bytes that its units' replies may have together. */
  readonly room: number;
}

export interface UnitsParts {
  readonly databases: Databases;
  /** For the audit of key changes. */
  readonly log: Logger;
}

type Argv = readonly ByteString[];
type Outcomes = readonly (Outcome | Promise<Outcome>)[];

/** A unit's flag: a condition did not hold. */
const UNMET = "$5\r\nunmet\r\n";
const NO_FLAGS = "$0\r\n\r\n";
const REVOKED = error("NOPERM this key was revoked");
const SELECTED = error("ERR SELECT stands in no envelope: its header names the database (db)");
const OK_UNIT = writeReply(OK) + NO_FLAGS;
const TOO_LONG = writeReply(
  error("TOOLONG the command was executed, but the answer would be longer than --max-output-bytes"),
);

export class Units {
  readonly #databases: Databases;
  readonly #log: Logger;

  constructor({ databases, log }: UnitsParts) {
    this.#databases = databases;
    this.#log = log;
  }

  /** At once where all databases answer at once. */
  apply(taken: Taken, ring: KeyRing): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const { envelope, id, room } = taken;
    const outcomes =
      envelope.multi || envelope.if !== null ? [this.#applyWhole(taken, ring)] : this.#applyEach(taken, ring);
    for (const outcome of outcomes) {
      if (outcome instanceof Promise)
        return Promise.all(outcomes).then((settled) => answerOf(id, settled, room));
    }
    return answerOf(id, outcomes as readonly Outcome[], room);
  }

  #applyEach({ id, envelope }: Taken, ring: KeyRing): Outcomes {
    const { commands, at, db, key } = envelope;
    const outcomes: (Outcome | Promise<Outcome>)[] = [];
    const judged: Argv[] = [];
    const options = { conditions: null };
    for (let i = 0; i < commands.length; i++) {
      const argv = commands[i] as Argv;
      const unit: Unit = { at, db, id: unitId(id, i) };
      judged[0] = argv;
      // Looked up anew each time: the unit before may have changed it.
      const signer = ring.find(key) as KeyRecord;
      outcomes.push(
        denialOf(signer, judged, options, ring) ??
          (isKeyCommand(argv)
            ? this.#changeKeys(argv, unit, signer, ring)
            : this.#databases.execute(argv, unit)),
      );
    }
    return outcomes;
  }

  /** The envelope is one unit: `multi`, or a command with conditions. */
  #applyWhole({ id, envelope }: Taken, ring: KeyRing): Outcome | Promise<Outcome> {
    const { commands, at, db, multi, if: conditions } = envelope;
    const unit: Unit = { at, db, id: unitId(id, 0) };
    const signer = ring.find(envelope.key) as KeyRecord;
    const denial = denialOf(signer, commands, { conditions }, ring);
    if (denial !== null) return denial;
    // Either all of them are, or none is: the ring has seen to that.
    if (isKeyCommand(commands[0] as Argv)) {
      return array(commands.map((argv) => this.#changeKeys(argv, unit, signer, ring)));
    }
    if (conditions !== null && !this.#databases.hold(conditions, unit)) return UNMET_REPLY;
    return multi
      ? this.#databases.executeTogether(commands, unit)
      : this.#databases.execute(commands[0] as Argv, unit);
  }

  #changeKeys(argv: Argv, unit: Unit, signer: KeyRecord, ring: KeyRing): Reply {
    const reply = ring.execute(argv, unit, signer);
    if (reply.kind !== "error" && CHANGES_KEYS.test(argv[1] ?? "")) {
      const by = { by: hexOf(signer.id), label: signer.label };
      const what = { command: argv.join(" ").slice(0, AUDITED_CHARS), at: new Date(unit.at).toISOString() };
      this.#log.warn({ ...what, ...by, unit: hexOf(unit.id) }, "the keys were changed");
    }
    return reply;
  }
}

/** Why a unit is not permitted; null: it is. A unit before it may have revoked the key. */
function denialOf(
  signer: KeyRecord,
  commands: readonly Argv[],
  options: JudgeOptions,
  ring: KeyRing,
): ErrorReply | null {
  if (signer.revokedAt !== null) return REVOKED;
  return commands.some(selects) ? SELECTED : ring.judge(signer, commands, options);
}

/** Whether it would choose a database for commands behind it, which it does on a connection only. */
function selects(argv: Argv): boolean {
  const name = argv[0] as ByteString;
  return name.length === 6 && name.toUpperCase() === "SELECT";
}

/** Not: unknown, or with too few or too many arguments. */
export const isDenied = ({ text }: ErrorReply): boolean => text.startsWith("NOPERM");

const CHANGES_KEYS = /^(add|rules|revoke)$/i;
/** More than a key in PEM and its rules; longer ones are cut in the log. */
const AUDITED_CHARS = 4096;

/** The very object stands for the flag. */
const UNMET_REPLY: Reply = { ...NIL_ARRAY };

function answerOf(id: ByteString, outcomes: readonly Outcome[], room: number): EnvelopeAnswer {
  const parts: ByteString[] = [];
  let errors = 0;
  let left = room;
  for (const one of outcomes) {
    if (one === OK) {
      parts.push(OK_UNIT);
      left -= OK_UNIT.length;
      continue;
    }
    const outcome = one.kind === "failed" ? replyOrFailure(one) : one;
    if (outcome.kind === "failed") {
      const { code, detail } = outcome;
      return { kind: "refused", id, code, detail, effect: effectOf(outcomes) };
    }
    const bytes = replyWithin(outcome, left);
    left -= bytes.length;
    if (outcome.kind === "error" || bytes === TOO_LONG) errors++;
    parts.push(bytes, outcome === UNMET_REPLY ? UNMET : NO_FLAGS);
  }
  return { kind: "result", id, units: outcomes.length, errors, replies: parts.join("") };
}

/** A reply's bytes, or an error in its place: the neighbours' replies are not to suffer. */
function replyWithin(reply: Reply, room: number): ByteString {
  try {
    const bytes = writeReply(reply);
    return bytes.length <= room ? bytes : TOO_LONG;
  } catch (problem) {
    // The engine's own bound of a string.
    if (problem instanceof RangeError) return TOO_LONG;
    throw problem;
  }
}
