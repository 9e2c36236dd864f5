/** What the commands on documents answer, part by part. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";

/** None, if it is no container. */
export function itemsOf(reply: Reply | undefined): readonly Reply[] {
  return reply !== undefined && "items" in reply ? reply.items : [];
}

/** Empty, if it is no string. */
export const bytesOf = (reply: Reply | undefined): ByteString => (reply?.kind === "bulk" ? reply.bytes : "");
export const bulksOf = (reply: Reply | undefined): ByteString[] => itemsOf(reply).map(bytesOf);
