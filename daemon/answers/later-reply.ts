/**
 * A reply that is still to come, and one who waits for it. A promise does the same for more than ten times as much work:
 * commands that are recorded come by the hundred in a turn.
 */
import type { Reply } from "../../protocol/reply.js";

export interface LaterReply {
  readonly kind: "later";
  /** @param listener  the only one; told once, at once if the reply is there */
  tell(listener: (reply: Reply) => void): void;
}

/** @param listener  told of a reply that comes later, as the one who waits for it */
export function whenThere(reply: Promise<Reply> | LaterReply, listener: (reply: Reply) => void): void {
  if (reply instanceof Promise) reply.then(listener);
  else reply.tell(listener);
}
