/** Creates the errors for unanswered statements, with the earlier balancer's wording if it had one. */

import { BALANCER_ERROR, errorFrame, messageFrame } from "../../../faces/sql/bytes/sql-frames.js";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import type { UpstreamFailure } from "./statement-outcome.js";

/** Matches an error of this balancer or the earlier one. It may mean that the statement's outcome is unknown. */
const OF_BALANCER = /^RESULT_MESSAGE\n(?:Hadisoana : )?Erreur de connexion backend/;
const NOT_KNOWN = "it is not known whether the statement was executed";

/** Returns the error. @param server  its name for users @param isRepeatable  whether the statement changes nothing */
export function failureFrame(
  { why, reached, detail }: UpstreamFailure,
  server: string,
  isRepeatable: boolean,
): ByteString {
  if (why === "unsuited") return errorFrame(bytesOfText(`${server} : ${detail}`));
  if (why === "too-long") return errorFrame(bytesOfText(`${BALANCER_ERROR} : ${server} : ${detail}`));
  if (reached === "no" || isRepeatable) return messageFrame(BALANCER_ERROR);
  return errorFrame(bytesOfText(`${BALANCER_ERROR} : ${server} : ${NOT_KNOWN}`));
}

/**
 * Whether an answer is from a balancer that may not know the statement's outcome, so that the statement may still be
 * executed.
 */
export const mayHaveUnknownOutcome = (answer: ByteString): boolean => OF_BALANCER.test(answer);
