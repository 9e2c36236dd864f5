/**
 * The last messages of a connection. A daemon that is missing from the member list receives that list before its
 * connection is closed: it cannot learn of the list in another way, because members no longer accept its connections.
 */
import {
  KNOWS_LISTS,
  LIST_BODY_BYTES_MAX,
  type ListMessage,
} from "../../../protocol/members/list-message.js";
import type { CloseCode } from "../shared/close-reasons.js";
import type { ClusterState } from "../shared/cluster-state.js";

/** The longest frame of a handshake, in bytes. An unauthenticated peer cannot make this daemon buffer more. */
export const HANDSHAKE_FRAME_BYTES = 8192;
/**
 * The longest frame that the opener of a connection accepts, in bytes. After receiving the opener's proof, the other
 * daemon may send a list and close the connection.
 */
export const OPENER_FRAME_BYTES: number = HANDSHAKE_FRAME_BYTES + LIST_BODY_BYTES_MAX;

/**
 * Returns the member lists to send before the connection is closed for this reason.
 * @param knows  the features that the other side supports, according to its hello
 */
export function closingLists(
  code: CloseCode,
  knows: ReadonlySet<string>,
  lists: ClusterState["lists"],
): readonly ListMessage[] {
  const isOfList = code === "left-out" || code === "not-listed";
  if (!isOfList || lists === undefined || !knows.has(KNOWS_LISTS)) return [];
  const { hash, lists: all } = lists.durable;
  return all.map(({ body, signature }) => ({ kind: "list", hash, isReporting: false, body, signature }));
}

/** Formats the close reason of the other side for a log. */
export function closeText(code: string, sentence: string): string {
  return `it says: ${JSON.stringify(code).slice(1, -1)}: ${printable(sentence)}`;
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 200);
