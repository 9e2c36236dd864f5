/** Replies as a connection's bytes, and what its requests weigh. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { writeReply } from "../../../protocol/resp/resp-writer.js";
import { writeReply3 } from "../../../protocol/resp/resp3-writer.js";

/** @returns null: it is longer than any may be */
export function answerBytes(reply: Reply, protocol: 2 | 3, most: number): ByteString | null {
  try {
    const bytes = protocol === 3 ? writeReply3(reply) : writeReply(reply);
    return bytes.length <= most ? bytes : null;
  } catch (problem) {
    // What the engine says of a string longer than any can be.
    if (problem instanceof RangeError) return null;
    throw problem;
  }
}

/** Of a command that waits for its answer. */
export function argumentBytes(argv: readonly ByteString[]): number {
  let bytes = 0;
  for (const argument of argv) bytes += argument.length;
  return bytes;
}

/** What a queued command costs besides its arguments' bytes, and each of these. */
const QUEUED_BYTES = 200;
const ARGUMENT_BYTES = 16;

/** Of a command that waits for EXEC, roughly. */
export function queuedBytes(argv: readonly ByteString[]): number {
  return argv.reduce((sum, { length }) => sum + ARGUMENT_BYTES + length, QUEUED_BYTES);
}
