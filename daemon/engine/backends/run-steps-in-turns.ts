/**
 * Computes replies step by step, over several turns of the event loop, so that a long query does not delay other
 * clients.
 */

import { CountReply, DocumentEntriesReply } from "../../../protocol/document-replies.js";
import { StepReply, withItemsFound } from "../../../protocol/lazy-replies.js";
import type { Reply } from "../../../protocol/reply.js";
import { inTurns } from "../../../protocol/steps.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";

/**
 * Returns a reply with all its items. If finding the items fails, the reply is the error.
 * @param uptime  the clock, in milliseconds
 * @returns a promise if finding the items takes longer than one turn
 */
export function completeReply(reply: Reply, uptime: () => number): Reply | Promise<Reply> {
  return reply instanceof StepReply
    ? inTurns(completed(reply), { uptime, soon: setImmediate })
    : completeEntries(reply, uptime);
}

/** Whether a reply may have to be found in steps. */
export const isInSteps = (
  reply: object,
): reply is StepReply<"array"> | StepReply<"map"> | DocumentEntriesReply | CountReply =>
  reply instanceof StepReply || reply instanceof DocumentEntriesReply || reply instanceof CountReply;

/** Returns a reply after its entries of a JSON document are found, which conditions may make long. */
export function completeEntries(reply: Reply, uptime: () => number): Reply | Promise<Reply> {
  const entries = reply instanceof CountReply ? reply.entries : reply;
  if (!(entries instanceof DocumentEntriesReply && entries.isPending)) return reply;
  return inTurns(found(entries, reply), { uptime, soon: setImmediate });
}

function* found(entries: DocumentEntriesReply, reply: Reply): Generator<undefined, Reply> {
  for (const steps = entries.completeSteps(); steps.next().done !== true; ) yield;
  return reply;
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
