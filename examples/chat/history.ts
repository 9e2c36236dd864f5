/** The history of the chat. Messages are appended, and read from the end, but never changed. */
import type { Message } from "./message.js";

export interface History {
  /**
   * Stores a message, unless a message with its id is already stored. Resolves when it is stored.
   * @returns the stored message with this id: the given message, or the one that was stored first
   */
  add(message: Message): Promise<Message>;
  /**
   * Returns the last messages of a room in their order.
   * @param before  an order key, to return only messages before it, or null to begin at the end
   */
  last(room: string, count: number, before: string | null): Promise<readonly Message[]>;
  close(): Promise<void>;
}
