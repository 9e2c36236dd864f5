/** The client that calls belong to: that of Node, or of a page. It counts pending calls and sendings. */
import type { SentBatch } from "./sending.js";

export interface CallsOwner {
  /** Returns a number greater than any before: the order in which calls begin and settle. */
  nextMoment(): number;
  /** Records that calls have settled. */
  settled(calls: number): void;
  /** Records sendings, or deliveries, that have begun. */
  started(sendings: number): void;
  ended(sendings: number): void;
  /** Receives a batch when it is signed. */
  signed?(batch: SentBatch): void;
  /** Receives a batch when all of its calls have settled. */
  done?(batch: SentBatch): void;
}
