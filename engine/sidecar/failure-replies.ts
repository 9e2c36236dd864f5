/**
 * The error that a Redis client receives if no daemon succeeded: the daemons' own error if there is one, otherwise
 * whether the command was certainly not applied (NOTAPPLIED) or may have been (MAYBEAPPLIED), and each daemon's reason.
 */
import { repliedError } from "../../client/carrier.js";
import { DbsyncError } from "../../client/entry.js";
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

/** Returns the outcome for version 1, which has no field for the reason: that is logged. */
export function outcomeOf(problem: Error): ErrorReply | BackendFailure {
  const effect = effectOf(problem);
  const code = effect === "unknown" ? "database-lost" : "database-down";
  return repliedError(problem) ?? { kind: "failed", code, detail: line(problem), effect };
}

function effectOf(problem: Error): BackendFailure["effect"] {
  return problem instanceof DbsyncError ? problem.effect : "unknown";
}

/** Returns the message as one line, as errors of RESP are. */
function line({ message }: Error): string {
  return bytesOfText(message.replace(/:\n\s*/, ": ").replace(/\n\s*/g, " | "));
}
