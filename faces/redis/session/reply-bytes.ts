/** Computes the bytes of replies and the memory of requests. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { writeReply } from "../../../protocol/resp/resp-writer.js";
import { writeReply3 } from "../bytes/resp3-writer.js";

/** Returns the bytes of a reply, or null if it exceeds the maximum length. */
export function answerBytes(reply: Reply, protocol: 2 | 3, maxBytes: number): ByteString | null {
  try {
    const bytes = protocol === 3 ? writeReply3(reply) : writeReply(reply);
    return bytes.length <= maxBytes ? bytes : null;
  } catch (problem) {
    // V8 throws this error for a string above its maximum length.
    if (problem instanceof RangeError) return null;
    throw problem;
  }
}

/** Returns the total length of the arguments of a pending command. */
export function argumentBytes(argv: readonly ByteString[]): number {
  let bytes = 0;
  for (const argument of argv) bytes += argument.length;
  return bytes;
}

/** The memory of a queued command, and of each argument, in addition to the arguments' bytes. */
const QUEUED_BYTES = 200;
const ARGUMENT_BYTES = 16;

/** Returns the approximate memory of a queued command in bytes. */
export function queuedBytes(argv: readonly ByteString[]): number {
  return argv.reduce((sum, { length }) => sum + ARGUMENT_BYTES + length, QUEUED_BYTES);
}
