/** The client that calls belong to, for Node or for web pages. It counts pending calls and sendings. */
import type { SentBatch } from "./sending.js";

export interface CallsOwner {
  /** Counts settled calls. */
  settled(calls: number): void;
  /** Counts sendings that have begun. */
  started(sendings: number): void;
  ended(sendings: number): void;
  /** Receives a batch when it is signed. */
  signed?(batch: SentBatch): void;
  /** Receives a batch when all of its calls have settled. */
  done?(batch: SentBatch): void;
}
