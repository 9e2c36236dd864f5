/** The interface for sending to a daemon that may turn out to speak version 1: each call is a separate delivery. */
import type { Failure } from "../shared/outcome.js";
import type { PendingCall } from "./pending-call.js";
import type { Sending } from "./sending.js";

export interface Version1Path {
  /** Whether no delivery is in progress. */
  readonly isEmpty: boolean;
  /** Whether a delivery would fail without an attempt to connect. */
  isBackingOff(now: number): boolean;
  /**
   * Sends a call; `ended` is called once, when the daemon has answered or failed.
   * @param insist  try even during the back-off
   * @returns the reason why it cannot be sent, or null if the delivery has started
   */
  deliver(sending: Sending, call: PendingCall, ended: () => void, insist: boolean): Failure | null;
}

/** The implementation for clients that never speak version 1. */
export const NO_VERSION_1: Version1Path = {
  isEmpty: true,
  isBackingOff: () => true,
  deliver: () => ({ ok: false, stage: "version", detail: "", written: false, at: 0 }),
};
