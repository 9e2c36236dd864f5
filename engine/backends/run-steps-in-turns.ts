/**
 * Computes replies step by step, over several turns of the event loop, so that a long query does not delay other
 * clients.
 */
import type { Reply } from "../../protocol/reply.js";
import { StepReply, withItemsFound } from "../../protocol/step-reply.js";
import { inTurns } from "../../protocol/steps.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";

/**
 * Returns a reply with all its items. If finding the items fails, the reply is the error.
 * @param uptime  the clock, in milliseconds
 * @returns a promise if finding the items takes longer than one turn
 */
export function completeReply(reply: Reply, uptime: () => number): Reply | Promise<Reply> {
  return reply instanceof StepReply ? inTurns(completed(reply), { uptime, soon: setImmediate }) : reply;
}

function* completed(reply: StepReply<"array"> | StepReply<"map">): Generator<void, Reply> {
  try {
    yield* reply.steps();
    return withItemsFound(reply);
  } catch (problem) {
    if (problem instanceof CommandFailure) return problem.reply;
    throw problem;
  }
}
