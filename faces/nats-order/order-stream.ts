/** The stream that orders the writes; nats-stream.ts implements it with NATS JetStream. */

import type { Service } from "../../daemon/net/process/service.js";
import type { ByteString } from "../../protocol/byte-string.js";

/** A message of the stream. */
export interface StreamMessage {
  /** The sequence number. The first message of the stream has the number 1, and there are no gaps. */
  readonly seq: number;
  /** Milliseconds since 1970 by the stream's leader: the same for all readers. */
  readonly at: number;
  readonly data: Buffer;
}

/** The outcome of adding a message. */
export type Published =
  /** The message was stored at `seq`. `isRepeated` means that the stream already had a message with the same name. */
  | { readonly kind: "stored"; readonly seq: number; readonly isRepeated: boolean }
  /** The message certainly was not stored, and will not be. `isPassing` means that an immediate retry is worthwhile. */
  | { readonly kind: "not-stored"; readonly detail: string; readonly isPassing: boolean }
  | { readonly kind: "unknown"; readonly detail: string };

/** Facts about the stream while it is connected. */
export interface StreamFacts {
  /** The sequence of the last message when the daemon connected. */
  readonly last: number;
  /** The sequence of the first stored message. */
  readonly first: number;
  /** When the stream was created, which distinguishes it from another stream with the same name. */
  readonly created: string;
  /** The number of servers that store the stream. */
  readonly replicas: number;
  /** The number of other readers, as last reported. */
  readonly others: number;
  /** The maximum bytes of a message. */
  readonly maxBytes: number;
}

/** The receiver of the messages of the stream. */
export interface StreamReader {
  /** The sequence of the next message to read. */
  readonly next: number;
  /** Whether neither the daemon nor its data folder has ever used a stream. Only then may the stream be created. */
  readonly isNew: boolean;
  /** Called when the stream is connected. @returns why reading cannot continue from `next`, or null if it can */
  connected(facts: StreamFacts): string | null;
  /**
   * Receives the message before `next`: each connection begins with it if the stream still has it.
   * @returns why reading cannot continue after it, or null if it can
   */
  checkRepeated(message: StreamMessage): string | null;
  /** Receives messages in order, each once. */
  message(message: StreamMessage): void;
}

export interface OrderStream extends Service {
  /** The facts about the stream, or null if it is not connected. */
  readonly facts: StreamFacts | null;
  /** Why the stream is not connected, or null if it is connected or the reason is not known yet. */
  readonly trouble: string | null;
  /** The number of times that the stream has been connected. */
  readonly connections: number;
  /** The sequence of its last message, as last reported. */
  readonly newest: number;
  /** Calls `connected` of the reader with the current end of the stream, as soon as the stream can be reached. */
  locateEnd(): void;
  /** @param name  within a certain time, the stream stores only one message with the same name; null for no name */
  publish(name: ByteString | null, data: Buffer): Promise<Published>;
}
