/** The history of the chat: messages are added and read from the end, never changed. */
import type { Message } from "./message.js";

export interface History {
  /**
   * Keeps a message, unless one of its id is kept already. Settles when it is kept.
   * @returns what is kept under its id, which may be of an earlier time
   */
  add(message: Message): Promise<Message>;
  /**
   * Returns the last messages of a room, in their order.
   * @param before  an order key: only messages before it; null: from the end
   */
  last(room: string, count: number, before: string | null): Promise<readonly Message[]>;
  close(): Promise<void>;
}
