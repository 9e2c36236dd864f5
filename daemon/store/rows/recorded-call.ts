/** The calls that a daemon records in place of calls whose effect depends on a choice. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";

/** Returns a call with the choice that the reply shows, or null if the call already has the same effect everywhere. */
export type RecordedCall = (argv: readonly ByteString[], reply: Reply) => readonly ByteString[] | null;

export function bytesIn(reply: Reply): ByteString[] {
  const items = "items" in reply ? reply.items : [reply];
  return items.flatMap((item) => (item.kind === "bulk" ? [item.bytes] : []));
}

const CONDITIONS: readonly ByteString[] = ["NX", "XX", "GT", "LT"];
/** The options of ZADD and GEOADD that are not conditions. */
const REPLY_OPTIONS: readonly ByteString[] = ["CH", "INCR"];

/** Whether ZADD or GEOADD adds members whatever the key holds. */
export function addsAlways(argv: readonly ByteString[]): boolean {
  let at = 2;
  while (REPLY_OPTIONS.includes(argv[at]?.toUpperCase() ?? "")) at++;
  return !CONDITIONS.includes(argv[at]?.toUpperCase() ?? "");
}

/** Whether EXPIRE and its variants found the key, and changed its expiry or left it. */
export const repliesOne = (_: readonly ByteString[], reply: Reply): boolean =>
  reply.kind === "integer" && Number(reply.value) === 1;
