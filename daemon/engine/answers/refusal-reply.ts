/** Turns refusals into error replies, for clients of protocols without envelopes. */
import { error, type Reply } from "../../../protocol/reply.js";
import { REFUSALS, type RefusalCode, refusalText } from "./refusals.js";
import type { Refused } from "./request.js";

/**
 * The errors for refusal codes that need another text: Redis's own errors, if clients know how to react to them, and
 * sentences that do not mention envelopes.
 */
const ERRORS: Partial<Readonly<Record<RefusalCode, string>>> = {
  "too-much": `TOOMUCH ${REFUSALS["too-much"].sentence}`,
  "working-memory": `TOOMUCH ${refusalText("working-memory")}`,
  "working-memory-busy": `TRYAGAIN ${refusalText("working-memory-busy")}`,
  "storage-failed": `MISCONF ${REFUSALS["storage-failed"].sentence}`,
  "not-stable": "ERR It was applied, but the order up to it did not become final in time.",
};

export function replyOf(answer: Reply | Refused): Reply {
  if (answer.kind !== "refused") return answer;
  if (answer.code === "catching-up")
    return error(`LOADING This daemon accepts no writes yet: ${answer.detail}.`);
  if (answer.code === "not-let-in") return error(`ERR ${REFUSALS["not-let-in"].sentence} ${answer.detail}`);
  return error(ERRORS[answer.code] ?? `ERR ${REFUSALS[answer.code].sentence}`);
}
