/** The error that daemons replied with, of a call that failed because of it. */
import { bytesOfText } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import { DbsyncError } from "./errors.js";

/** The command's own failure, in the daemon's words. @returns null: the call has failed otherwise */
export function repliedError(problem: Error): ErrorReply | null {
  if (!(problem instanceof DbsyncError) || problem.code !== "reply") return null;
  const failed = problem.outcomes.find((outcome) => outcome.status === "failed" && outcome.stage === "reply");
  return failed?.status === "failed" ? error(bytesOfText(failed.detail)) : null;
}
