/** Errors for clients whose statement was not answered, in the earlier balancer's wording as far as it had any. */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { BALANCER_ERROR, errorFrame, messageFrame } from "../../protocol/sql-frames.js";
import type { UpstreamFailure } from "./outcome.js";

/** The error of a balancer, this one or the earlier, which is the same whatever became of a statement. */
const OF_BALANCER = /^RESULT_MESSAGE\n(?:Hadisoana : )?Erreur de connexion backend/;
const NOT_KNOWN = "whether it was carried out is not known";

/** @param server  as its users call it @param isRepeatable  whether it changes nothing */
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

/** Whether an answer is from a balancer that may not know the statement's outcome: it may still be executed. */
export const mayBeUnknown = (answer: ByteString): boolean => OF_BALANCER.test(answer);
