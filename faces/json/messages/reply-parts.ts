/** Functions that access the parts of replies to document commands. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";

/** Returns the items of a container; empty for other replies. */
export function itemsOf(reply: Reply | undefined): readonly Reply[] {
  return reply !== undefined && "items" in reply ? reply.items : [];
}

/** Returns the bytes of a string; empty for other replies. */
export const bytesOf = (reply: Reply | undefined): ByteString => (reply?.kind === "bulk" ? reply.bytes : "");
export const bulksOf = (reply: Reply | undefined): ByteString[] => itemsOf(reply).map(bytesOf);
