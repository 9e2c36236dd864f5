/** What is used of the stream that orders the writes; nats-stream.ts has it of NATS JetStream. */

import type { Service } from "../../net/process/service.js";
import type { ByteString } from "../../protocol/byte-string.js";

/** A message at its place. */
export interface StreamMessage {
  /** 1 is the stream's first; none is left out. */
  readonly seq: number;
  /** Milliseconds since 1970 by the stream's leader: the same for all who read it. */
  readonly at: number;
  readonly data: Buffer;
}

/** What became of a message that was to be added. */
export type Published =
  /** It stands at `seq`. `isRepeated`: one of its name stood there before. */
  | { readonly kind: "stored"; readonly seq: number; readonly isRepeated: boolean }
  /** It certainly does not, nor will it. `isPassing`: it is worth another try at once. */
  | { readonly kind: "not-stored"; readonly detail: string; readonly isPassing: boolean }
  | { readonly kind: "unknown"; readonly detail: string };

/** What can be told of it while it is connected. */
export interface StreamFacts {
  /** Sequence of the last message, as of the connection. */
  readonly last: number;
  /** Of the first one that is kept. */
  readonly first: number;
  /** When the stream was made: another one under the same name has another. */
  readonly created: string;
  /** Servers that keep it. */
  readonly replicas: number;
  /** Who reads it besides this daemon, as was last heard. */
  readonly others: number;
  /** Bytes of a message at most. */
  readonly maxBytes: number;
}

/** Told of what comes. */
export interface StreamReader {
  /** The sequence of the message that is wanted next. */
  readonly next: number;
  /** Whether no stream has been met yet, by what is in the folder neither: then it may be made. */
  readonly isNew: boolean;
  /** Connected. @returns why this stream cannot be read on from `next`; null: it can */
  connected(facts: StreamFacts): string | null;
  /**
   * The message before `next`, with which each connection begins if the stream still has it.
   * @returns why it cannot be read on behind it; null: it can
   */
  again(message: StreamMessage): string | null;
  /** In order, each once. */
  message(message: StreamMessage): void;
}

export interface OrderStream extends Service {
  /** null: not connected. */
  readonly facts: StreamFacts | null;
  /** Why it is not connected; null: it is, or nothing is known yet. */
  readonly trouble: string | null;
  /** How often it has been connected. */
  readonly connections: number;
  /** Sequence of its last message, as was last heard. */
  readonly newest: number;
  /** Reports to the reader (`connected`) how far the stream reaches now: immediately, or once it can be reached. */
  locateEnd(): void;
  /** @param name  messages of one name stand there once, within the stream's own window; null: it has none */
  publish(name: ByteString | null, data: Buffer): Promise<Published>;
}
