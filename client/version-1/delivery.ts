/** The path of a version 1 command to one daemon. */
import type { Report } from "../shared/outcome.js";
import type { Address } from "../shared/servers.js";

/** Whose delivery it is, and what the way to a daemon needs to know of it. Moments: see CallsOwner. */
export interface Sender {
  readonly frame: Buffer;
  readonly deadline: number;
  readonly startedMoment: number;
  readonly settledMoment: number;
  /** Takes one daemon's report. The end of a delivery: called exactly once for each. */
  end(delivery: Delivery, report: Report): void;
}

/**
 * The way of a call to one daemon. `report` is set once, by whoever knows first: the connection, the queue,
 * the clock.
 */
export interface Delivery {
  readonly call: Sender;
  readonly address: Address;
  /** Of the frame. */
  readonly bytes: number;
  /** Clock time, or -1 until its bytes are handed to a socket. From then on they are never sent again. */
  writtenAt: number;
  report: Report | null;
}
