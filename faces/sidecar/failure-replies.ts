/**
 * Creates the error that a Redis client receives if a command succeeded on no daemon. If a daemon returned an error,
 * the client receives that error. Otherwise the error states whether the command was certainly not applied (NOTAPPLIED)
 * or may have been applied (MAYBEAPPLIED), and the reason of each daemon.
 */

import { repliedError } from "../../client/forwarding-client.js";
import { DbsyncError } from "../../client/public-api.js";
import type { BackendFailure } from "../../daemon/engine/backends/backend.js";
import { bytesOfText } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";

/** Returns the error for --resp and --json. */
export function replyOf(problem: Error): ErrorReply {
  return (
    repliedError(problem) ??
    error(`${effectOf(problem) === "unknown" ? "MAYBEAPPLIED" : "NOTAPPLIED"} ${line(problem)}`)
  );
}

/** Returns the outcome for version 1. A reply of version 1 cannot contain the reason, which is logged instead. */
export function outcomeOf(problem: Error): ErrorReply | BackendFailure {
  const effect = effectOf(problem);
  const code = effect === "unknown" ? "database-lost" : "database-down";
  return repliedError(problem) ?? { kind: "failed", code, detail: line(problem), effect };
}

function effectOf(problem: Error): BackendFailure["effect"] {
  return problem instanceof DbsyncError ? problem.effect : "unknown";
}

/** Returns the message as a single line, because errors in RESP cannot contain line breaks. */
function line({ message }: Error): string {
  return bytesOfText(message.replace(/:\n\s*/, ": ").replace(/\n\s*/g, " | "));
}
