/** Explains why a daemon may be silent: its answer waits. A page goes without this (decision 23). */
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import type { EnvelopeOptions } from "./header-options.js";

/** Daemons wait for longer than most calls do, so `not-yet` and the like often come after the call's deadline. */
const MAY_WAIT = "perhaps it does not hold the write that the option after names";
const MAY_WAIT_FOR: Readonly<Record<Wait["kind"], string>> = {
  stable: "perhaps it waits until the write is final: dbsync status shows whether a daemon is away",
  replicated: "perhaps it waits for other daemons to have the write: dbsync status shows which is away",
};

/** Returns what a silent daemon may be waiting for; null: nothing. */
export function mayWaitFor(options: EnvelopeOptions | null): string | null {
  if (options?.wait) return MAY_WAIT_FOR[options.wait.kind];
  return options?.after == null ? null : MAY_WAIT;
}
