/**
 * What a Redis client is told when no daemon gave a good answer: the daemons' own error where there is one, else whether the
 * command was certainly not applied (NOTAPPLIED) or may have been (MAYBEAPPLIED), and what each daemon said.
 */
import { repliedError } from "../../client/carrier.js";
import { DbsyncError } from "../../client/entry.js";
import { bytesOfText } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import type { BackendFailure } from "../backends/backend.js";

/** For --resp and --json. */
export function replyOf(problem: Error): ErrorReply {
  return (
    repliedError(problem) ??
    error(`${effectOf(problem) === "unknown" ? "MAYBEAPPLIED" : "NOTAPPLIED"} ${line(problem)}`)
  );
}

/** For version 1, which tells no reason: it stands in the log. */
export function outcomeOf(problem: Error): ErrorReply | BackendFailure {
  const effect = effectOf(problem);
  const code = effect === "unknown" ? "database-lost" : "database-down";
  return repliedError(problem) ?? { kind: "failed", code, detail: line(problem), effect };
}

function effectOf(problem: Error): BackendFailure["effect"] {
  return problem instanceof DbsyncError ? problem.effect : "unknown";
}

/** An error of RESP is a line. */
function line({ message }: Error): string {
  return bytesOfText(message.replace(/:\n\s*/, ": ").replace(/\n\s*/g, " | "));
}
