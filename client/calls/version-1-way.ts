/** The path to a daemon that may turn out to speak version 1: each call by itself, as a delivery. */
import type { Failure } from "../shared/outcome.js";
import type { PendingCall } from "./pending-call.js";
import type { Sending } from "./sending.js";

export interface Version1Way {
  /** Whether nothing is on it. */
  readonly isEmpty: boolean;
  /** Whether a delivery would fail without an attempt to connect. */
  isBackingOff(now: number): boolean;
  /**
   * Sends a call; `ended` is called once, when the daemon has answered or failed.
   * @param insist  try even during the back-off
   * @returns why it cannot be sent at all; null: it is on its way
   */
  deliver(sending: Sending, call: PendingCall, ended: () => void, insist: boolean): Failure | null;
}

/** The path of version 1 for clients that never speak it. */
export const NO_VERSION_1: Version1Way = {
  isEmpty: true,
  isBackingOff: () => true,
  deliver: () => ({ ok: false, stage: "version", detail: "", written: false, at: 0 }),
};
