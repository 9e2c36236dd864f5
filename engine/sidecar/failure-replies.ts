/**
 * The error that a Redis client receives if no daemon succeeded. It is the daemons' own error if there is one.
 * Otherwise it states whether the command was certainly not applied (NOTAPPLIED) or may have been (MAYBEAPPLIED), and
 * each daemon's reason.
 */

import { DbsyncError } from "../../client/entry.js";
import { repliedError } from "../../client/forwarding-client.js";
import { bytesOfText } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import type { BackendFailure } from "../backends/backend.js";

/** Returns the error for --resp and --json. */
export function replyOf(problem: Error): ErrorReply {
  return (
    repliedError(problem) ??
    error(`${effectOf(problem) === "unknown" ? "MAYBEAPPLIED" : "NOTAPPLIED"} ${line(problem)}`)
  );
}

/** Returns the outcome for version 1. It has no field for the reason, which is logged instead. */
export function outcomeOf(problem: Error): ErrorReply | BackendFailure {
  const effect = effectOf(problem);
  const code = effect === "unknown" ? "database-lost" : "database-down";
  return repliedError(problem) ?? { kind: "failed", code, detail: line(problem), effect };
}

function effectOf(problem: Error): BackendFailure["effect"] {
  return problem instanceof DbsyncError ? problem.effect : "unknown";
}

/** Returns the message as one line, because errors in RESP have only one. */
function line({ message }: Error): string {
  return bytesOfText(message.replace(/:\n\s*/, ": ").replace(/\n\s*/g, " | "));
}
