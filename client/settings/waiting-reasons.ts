/**
 * Explains what a daemon that has not answered may be waiting for. The bundle for web pages leaves this out (decision
 * 23).
 */
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import type { EnvelopeOptions } from "./header-options.js";

/** Daemons wait longer than most calls do, so refusals such as `not-yet` often arrive after the call's deadline. */
const MAY_WAIT = "perhaps it does not have the write that `after` refers to";
const MAY_WAIT_FOR: Readonly<Record<Wait["kind"], string>> = {
  stable:
    "perhaps it is waiting until the write is final: dbsync status shows whether a daemon is unreachable",
  replicated:
    "perhaps it is waiting for other daemons to store the write: dbsync status shows which one is unreachable",
};

/** Returns what a silent daemon may be waiting for, or null if its answer does not have to wait. */
export function waitingReasons(options: EnvelopeOptions | null): string | null {
  if (options?.wait) return MAY_WAIT_FOR[options.wait.kind];
  return options?.after == null ? null : MAY_WAIT;
}
