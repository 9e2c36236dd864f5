/**
 * Computes replies step by step, over several turns of the event loop, so that a long query does not delay other
 * clients.
 */

import { CountReply, DocumentEntriesReply } from "../../../protocol/document-replies.js";
import { finishReply, SteppedReply } from "../../../protocol/lazy-replies.js";
import type { Reply } from "../../../protocol/reply.js";
import { inTurns } from "../../../protocol/steps.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";

/**
 * Returns a reply with all its items. If finding the items fails, the reply is the error.
 * @param uptime  the clock, in milliseconds
 * @returns a promise if finding the items takes longer than one turn
 */
export function completeReply(reply: Reply, uptime: () => number): Reply | Promise<Reply> {
  return reply instanceof SteppedReply
    ? inTurns(completedReply(reply), { uptime, soon: setImmediate })
    : completeEntries(reply, uptime);
}

/** Returns whether a reply may have to be found in steps. */
export const isStepped = (
  reply: object,
): reply is SteppedReply<"array"> | SteppedReply<"map"> | DocumentEntriesReply | CountReply =>
  reply instanceof SteppedReply || reply instanceof DocumentEntriesReply || reply instanceof CountReply;

/** Returns a reply after its entries of a JSON document are found, which conditions may make long. */
export function completeEntries(reply: Reply, uptime: () => number): Reply | Promise<Reply> {
  const entries = reply instanceof CountReply ? reply.entries : reply;
  if (!(entries instanceof DocumentEntriesReply && entries.isPending)) return reply;
  return inTurns(findEntries(entries, reply), { uptime, soon: setImmediate });
}

function* findEntries(entries: DocumentEntriesReply, reply: Reply): Generator<undefined, Reply> {
  for (const steps = entries.completeSteps(); steps.next().done !== true; ) yield;
  return reply;
}

function* completedReply(reply: SteppedReply<"array"> | SteppedReply<"map">): Generator<void, Reply> {
  try {
    yield* reply.steps();
    return finishReply(reply);
  } catch (problem) {
    if (problem instanceof CommandFailure) return problem.reply;
    throw problem;
  }
}
