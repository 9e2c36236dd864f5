/** What a client is told whose statement was not answered, in the words of the earlier balancer as far as it had any. */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { BALANCER_ERROR, errorFrame, messageFrame } from "../../protocol/sql-frames.js";
import type { UpstreamFailure } from "./outcome.js";

/** What a balancer says, this one or the earlier, which says the same whatever became of a statement. */
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

/** Whether an answer is a balancer's who may not know what became of the statement: it may still be carried out. */
export const mayBeUnknown = (answer: ByteString): boolean => OF_BALANCER.test(answer);
