/** The delivery of a version 1 command to one daemon. */
import type { Report } from "../shared/outcome.js";
import type { Address } from "../shared/server-list.js";

/** The part of a call that its deliveries use. Its moments are sequence numbers; see CallsOwner. */
export interface Sender {
  readonly frame: Buffer;
  readonly deadline: number;
  readonly startSequence: number;
  readonly settleSequence: number;
  /** Ends a delivery with one daemon's report. It is called exactly once for each delivery. */
  end(delivery: Delivery, report: Report): void;
}

/** The delivery of a call to one daemon. `report` is set once, by the connection, the queue or a timeout. */
export interface Delivery {
  readonly call: Sender;
  readonly address: Address;
  /** The length of the frame. */
  readonly bytes: number;
  /** The time at which the bytes were passed to a socket, or -1 before that. They are never sent twice. */
  writtenAt: number;
  report: Report | null;
}
