/** The stream that orders the writes; nats-stream.ts implements it with NATS JetStream. */

import type { Service } from "../../net/process/service.js";
import type { ByteString } from "../../protocol/byte-string.js";

/** A message of the stream. */
export interface StreamMessage {
  /** 1 is the stream's first; none is left out. */
  readonly seq: number;
  /** Milliseconds since 1970 by the stream's leader: the same for all readers. */
  readonly at: number;
  readonly data: Buffer;
}

/** The outcome of adding a message. */
export type Published =
  /** It is at `seq`. `isRepeated`: one with its name was there before. */
  | { readonly kind: "stored"; readonly seq: number; readonly isRepeated: boolean }
  /** It certainly is not, nor will it be. `isPassing`: it is worth another try immediately. */
  | { readonly kind: "not-stored"; readonly detail: string; readonly isPassing: boolean }
  | { readonly kind: "unknown"; readonly detail: string };

/** Facts about the stream while it is connected. */
export interface StreamFacts {
  /** Sequence of the last message, as of the connection. */
  readonly last: number;
  /** Sequence of the first message that is kept. */
  readonly first: number;
  /** When the stream was made: another stream of the same name has another date. */
  readonly created: string;
  /** Servers that keep it. */
  readonly replicas: number;
  /** The number of other readers, as last reported. */
  readonly others: number;
  /** Bytes of a message at most. */
  readonly maxBytes: number;
}

/** Receives what the stream sends. */
export interface StreamReader {
  /** The sequence of the next message to read. */
  readonly next: number;
  /** Whether no stream has been met yet, and the folder names none: then it may be made. */
  readonly isNew: boolean;
  /** The stream is connected. @returns why it cannot be read on from `next`; null: it can */
  connected(facts: StreamFacts): string | null;
  /**
   * The message before `next`, with which each connection begins if the stream still has it.
   * @returns why it cannot be read on after it; null: it can
   */
  again(message: StreamMessage): string | null;
  /** Receives messages in order, each once. */
  message(message: StreamMessage): void;
}

export interface OrderStream extends Service {
  /** null: not connected. */
  readonly facts: StreamFacts | null;
  /** Why it is not connected; null: it is, or nothing is known yet. */
  readonly trouble: string | null;
  /** How often it has been connected. */
  readonly connections: number;
  /** Sequence of its last message, as last reported. */
  readonly newest: number;
  /** Reports to the reader (`connected`) how far the stream reaches now: immediately, or once it can be reached. */
  locateEnd(): void;
  /** @param name  messages with one name are there once, within the stream's own window; null: it has none */
  publish(name: ByteString | null, data: Buffer): Promise<Published>;
}
