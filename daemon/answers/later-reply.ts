/**
 * A reply that is still to come, and one who waits for it. A promise does the same for more than ten times as much work:
 * commands that are recorded come by the hundred in a turn.
 */
import type { Reply } from "../../protocol/reply.js";

export interface Later<Awaited> {
  readonly kind: "later";
  /** @param listener  the only one; told once, at once if what is awaited is there */
  tell(listener: (awaited: Awaited) => void): void;
}

export type LaterReply = Later<Reply>;

/** @param listener  told of what comes later, as the one who waits for it */
export function whenThere<Awaited>(
  later: Promise<Awaited> | Later<Awaited>,
  listener: (awaited: Awaited) => void,
): void {
  if (later instanceof Promise) later.then(listener);
  else later.tell(listener);
}
