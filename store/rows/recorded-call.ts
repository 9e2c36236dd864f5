/** The calls that a script's unit contains instead of calls whose effect depends on a choice. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";

/** Returns a call with the choice that the reply shows, or null if the call already has the same effect everywhere. */
export type RecordedCall = (argv: readonly ByteString[], reply: Reply) => readonly ByteString[] | null;

export function bytesIn(reply: Reply): ByteString[] {
  const items = "items" in reply ? reply.items : [reply];
  return items.flatMap((item) => (item.kind === "bulk" ? [item.bytes] : []));
}
