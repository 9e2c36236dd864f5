/** The part of the outbox that the fleet uses. */
import type { SentBatch } from "../calls/sending.js";

export interface FleetOwner {
  /** Signs the waiting batches, because the cluster is now known. */
  ready(now: number): void;
  /** Handles a daemon that turned out to speak version 1: sends it the batches that are not signed yet as version 1. */
  detectedVersion1(index: number, now: number): void;
  /** Handles the loss of the last reachable daemon. */
  unreachable(now: number): void;
  /** Signs a batch again, in its original position. */
  again(batch: SentBatch): void;
}
