/**
 * The limits of a unit whose commands are chosen while it runs: a script, or a transaction. A unit that reaches one is
 * refused as a whole, so its caller undoes it. Errors of its commands are answers instead, as in Redis.
 * Source: docs/decisions/0065-a-unit-takes-effect-as-a-whole.md.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import { type Choices, UNIT_COMMANDS_MAX } from "../../../protocol/version-2/envelope.js";
import { LIMITS } from "../../options/limits.js";
import type { Database } from "../../store/database.js";
import { UnitReadsExceeded, unitRefusal } from "../../store/keyspace/effort-budget.js";

/** The maximum bytes of the commands in an envelope, because every daemon must be able to accept it. */
export const COMMAND_BYTES_MAX = LIMITS.maxRequestBytes.max;
/** The maximum bytes that an encoded argument needs in addition to its own bytes. */
const ARGUMENT_BYTES = 16;
/** The code of the errors with which commands answer that they exceed a limit. */
const LIMIT_CODE = "TOOMUCH ";

const TOO_MANY = error(
  `${LIMIT_CODE}nothing was done, because a script or transaction may contain at most ${UNIT_COMMANDS_MAX} commands that write or publish: split it`,
);
const TOO_LONG = error(
  `${LIMIT_CODE}nothing was done, because the commands of a script or transaction that write or publish may contain at most ${COMMAND_BYTES_MAX} bytes: split it`,
);

/** Thrown through a script or transaction that exceeds a limit. None of it takes effect. */
export class UnitRefused extends Error {
  override readonly name = "UnitRefused";
  readonly reply: ErrorReply;

  /** @param reply  the answer to the client */
  constructor(reply: ErrorReply) {
    super(reply.text);
    this.reply = reply;
  }
}

/** The number of commands of one unit, and its limits. */
export class UnitLimits {
  #commands = 0;
  #bytes = 0;

  /** Counts a command that writes or publishes. @throws UnitRefused */
  add(argv: readonly ByteString[]): void {
    if (++this.#commands > UNIT_COMMANDS_MAX) throw new UnitRefused(TOO_MANY);
    this.#bytes += commandBytes(argv);
    if (this.#bytes > COMMAND_BYTES_MAX) throw new UnitRefused(TOO_LONG);
  }
}

/**
 * Estimates the encoded length of a command without encoding it, because the encoded command could be longer than V8's
 * longest string.
 */
export function commandBytes(argv: readonly ByteString[]): number {
  let bytes = ARGUMENT_BYTES;
  for (const argument of argv) bytes += ARGUMENT_BYTES + argument.length;
  return bytes;
}

/** Estimates the encoded length of what a daemon records with the commands of an envelope. */
export function choicesBytes({ choices, expiries }: Choices): number {
  let bytes = 2 * ARGUMENT_BYTES * (expiries?.size ?? 0);
  for (const choice of choices?.values() ?? []) bytes += ARGUMENT_BYTES + commandBytes(choice);
  return bytes;
}

/** Runs the reads of a transaction. @returns the error of the limit that they exceed, if any */
export function readsOrRefusal<Result>(database: Database, run: () => Result): Result | ErrorReply {
  try {
    return database.readingTogether(run);
  } catch (problem) {
    if (problem instanceof UnitReadsExceeded) return unitRefusal(problem, {}).reply;
    throw problem;
  }
}

/** Returns a command's reply, unless it reports a limit. @throws UnitRefused */
export function withinLimits(reply: Reply): Reply {
  if (reply.kind === "error" && reply.text.startsWith(LIMIT_CODE)) throw new UnitRefused(reply);
  return reply;
}
