/** The path of a version 1 command to one daemon. */
import type { Report } from "../shared/outcome.js";
import type { Address } from "../shared/servers.js";

/** The call of a delivery, as its path to a daemon knows it. Moments: see CallsOwner. */
export interface Sender {
  readonly frame: Buffer;
  readonly deadline: number;
  readonly startedMoment: number;
  readonly settledMoment: number;
  /** Ends a delivery with one daemon's report: called exactly once for each. */
  end(delivery: Delivery, report: Report): void;
}

/** The path of a call to one daemon. `report` is set once, by the first of connection, queue and clock. */
export interface Delivery {
  readonly call: Sender;
  readonly address: Address;
  /** The length of the frame. */
  readonly bytes: number;
  /** Clock time, or -1 until its bytes are handed to a socket. From then on they are never sent again. */
  writtenAt: number;
  report: Report | null;
}
