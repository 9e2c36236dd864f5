/** What is kept of what was said: added to, read from the end, never changed. */
import type { Message } from "./message.js";

export interface History {
  /**
   * Keeps a message, unless one of its id is kept already. Settles when it is kept.
   * @returns what is kept under its id, which may be of an earlier time
   */
  add(message: Message): Promise<Message>;
  /**
   * The last of a room, in their order.
   * @param before  an order: only what stands before it; null: from the end
   */
  last(room: string, count: number, before: string | null): Promise<readonly Message[]>;
  close(): Promise<void>;
}
