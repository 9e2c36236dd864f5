/**
 * Passes answers to the callers whose units the gateway records: immediately, or once the write is as safe as the
 * caller requires.
 */

import { array, type Reply } from "../../../protocol/reply.js";
import { type Refused, refused } from "../../engine/answers/request.js";
import type { ReplyWaiter } from "../../engine/backends/command-path.js";
import type { OrderKey } from "../../timeline/entries/entry.js";
import type { UnitAnswer } from "../../timeline/fold/fold.js";
import type { EntryRecorder } from "./entry-recorder.js";

/** The command's reply, which may be an error, or the reason why the command was refused. */
export type GatewayAnswer = Reply | Refused;

export interface GatewayWaiter extends Omit<ReplyWaiter, "kind"> {
  /** Whether the reply to the unit's only command is answered as an array, because the command was sent in EXEC. */
  readonly isArray?: boolean;
}

/** The number of daemons that must have a write if the caller needs to know whether the write is replicated. */
const ITSELF_AND_ANOTHER = 2;

/**
 * Calls `join` with a new waiter, and returns a promise for the answer that the waiter receives.
 * @param join  returns why the unit was refused immediately, or null if the waiter will be called
 */
export function answerTo(
  { isStable = false, replicated, lastWrite }: Partial<Omit<GatewayWaiter, "answered">>,
  join: (waiter: GatewayWaiter) => Refused | null,
): Promise<GatewayAnswer> {
  return new Promise((resolve) => {
    const refusal = join({ isStable, replicated, lastWrite, answered: resolve });
    if (refusal !== null) resolve(refusal);
  });
}

/** Sends the same answer to all waiters. */
export function answerAll(waiting: readonly GatewayWaiter[], answer: GatewayAnswer): void {
  for (const waiter of waiting) waiter.answered(answer);
}

/**
 * Answers the units of an envelope that is on this daemon's disk.
 * @param waiting  one for each unit, in order
 */
export function answerUnits(
  waiting: readonly GatewayWaiter[],
  answers: readonly UnitAnswer[],
  orderKey: OrderKey,
  recorder: EntryRecorder,
): void {
  let stable: Promise<boolean> | null = null;
  let elsewhere: Promise<boolean> | null = null;
  for (let i = 0; i < waiting.length; i++) {
    const waiter = waiting[i] as GatewayWaiter;
    const answer = answers[i] as UnitAnswer;
    const isArray = waiter.isArray === true && answer.outcome === "applied";
    const reply = isArray ? array([answer.reply]) : answer.reply;
    if (waiter.isStable) {
      stable ??= recorder.confirm(orderKey, { kind: "stable" });
      stable.then((isConfirmed) =>
        waiter.answered(isConfirmed ? reply : refused("not-stable", "not in time")),
      );
    } else if (waiter.replicated === undefined || reply.kind === "error") waiter.answered(reply);
    else {
      elsewhere ??= recorder.confirm(orderKey, { kind: "replicated", daemons: ITSELF_AND_ANOTHER });
      elsewhere.then((isConfirmed) => {
        waiter.replicated?.(isConfirmed);
        waiter.answered(reply);
      });
    }
  }
}
