/** The outbox, as its daemons know it. */
import type { SentBatch } from "../calls/sending.js";

export interface FleetOwner {
  /** Signs what waits, since the cluster is known now. */
  ready(now: number): void;
  /** Handles a daemon that speaks version 1: batches that are not signed yet go out to it as version 1. */
  turnedOut1(index: number, now: number): void;
  /** Handles the loss of the last daemon. */
  unreachable(now: number): void;
  /** Signs a batch again, in its old position. */
  again(batch: SentBatch): void;
}
