/**
 * Delays answers to clients' envelopes until what they show is on the disk, their writes are final or on the disks of
 * other daemons, or a client that is refused for its date can sign again.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Wait } from "../../../protocol/version-2/messages-v2.js";
import type { Answered, RefusedEnvelope, Result } from "../../engine/answers/request.js";
import { finalResultOf } from "../../engine/answers/result-writer.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { OrderKey } from "../../timeline/entries/entry.js";
import type { UnitAnswer } from "../../timeline/fold/fold.js";
import { notFlushed } from "./member-answers.js";
import type { NodeState } from "./replica-context.js";

/**
 * Milliseconds by which clients date envelopes ahead of the daemon's clock at most, minus the error of their clocks.
 */
const CLIENTS_AHEAD_MS = 3_950;

/** The maximum delay of a refusal, in milliseconds: entries are dated up to 5 s ahead, unless --window permits more. */
const DELAY_MS_MAX = 1_050;

/** Returns a result when what it shows is as safe as --fsync requires. @param flushed  null: it already is */
export function whenFlushed(result: Result, flushed: Promise<void> | null): Answered {
  if (flushed === null) return result;
  return flushed.then(
    () => result,
    (problem: Error) => notFlushed(result.id, problem),
  );
}

/**
 * Returns a refusal. That of a date is delayed until the client, which signs again, can use a date after all entries.
 * @param ahead  milliseconds from the clock to the date of the newest entry
 */
export function whenDatable(
  refusal: RefusedEnvelope,
  ahead: number,
  { setTimer }: Pick<Environment, "setTimer">,
): Answered {
  const delay = ahead - CLIENTS_AHEAD_MS;
  if (refusal.code !== "too-old" || delay <= 0 || delay > DELAY_MS_MAX) return refusal;
  return new Promise((resolve) => void setTimer(delay, () => resolve(refusal)));
}

/** Returns the result of an envelope that is not recorded, because its condition does not hold. */
export const unmetResultOf = (id: ByteString, unmet: UnitAnswer, maxReplyBytes: number): Result => ({
  ...finalResultOf(id, [unmet], { maxReplyBytes, readStatus: "" }),
  isUnrecorded: true,
});

/** The maximum number of results that are delayed at the same time. */
const WAITING_MAX = 10_000;
/**
 * Maximum milliseconds of a `stable` wait. It is long, because nothing is final before the window has passed and all
 * members have sent their reports.
 */
const STABLE_MS_MAX = 60_000;
/** Maximum milliseconds of a `replicated` wait, which is the longest deadline of a client. */
const REPLICATED_MS_MAX = 20_000;
/** Milliseconds between two checks whether a final entry is in the state. */
const CHECK_MS = 20;

/**
 * The results that wait until their writes are final (`stable`) or on the disks of other daemons (`replicated`). The
 * number of delayed results and the delay are limited. Source: docs/protocol-v2.md "Waiting".
 */
export class Confirmations {
  readonly #node: NodeState;
  readonly #open = new Set<() => void>();
  /** Functions that check again whether a final entry is in the state, and answer its client when it is. */
  readonly #unfolded = new Set<() => void>();
  #stopChecking: (() => void) | null = null;

  constructor(node: NodeState) {
    this.#node = node;
  }

  /**
   * Waits until a write is confirmed. Returns false if it was not confirmed in time, or immediately if too many results
   * are already delayed.
   */
  async confirm(orderKey: OrderKey, wait: Wait): Promise<boolean> {
    if (this.#open.size >= WAITING_MAX) return false;

    const { peering, environment } = this.#node;
    const isStable = wait.kind === "stable";
    const { handover } = this.#node.timeline;
    const { adoptions } = handover;
    return await new Promise<boolean>((resolve) => {
      const end = (isConfirmed: boolean) => {
        cancel();
        this.#unfolded.delete(check);
        this.#open.delete(giveUp);
        // A snapshot may have replaced the state that contained the entry. In that case check that the new state
        // contains it.
        resolve(isConfirmed && (handover.adoptions === adoptions || this.#node.timeline.hasFolded(orderKey)));
      };

      const giveUp = () => end(false);
      const cancel = environment.setTimer(isStable ? STABLE_MS_MAX : REPLICATED_MS_MAX, giveUp);
      this.#open.add(giveUp);

      const check = () => {
        if (this.#node.timeline.isFolded(orderKey.at)) end(true);
        else if (this.#open.has(giveUp)) this.#checkAgain(check);
      };

      const isConfirmed = isStable ? peering.stable(orderKey.at) : peering.replicated(orderKey, wait.daemons);
      isConfirmed.then(isStable ? check : () => end(true), giveUp);
    });
  }

  /** Ends all waits. The writes count as not confirmed. */
  stop(): void {
    for (const giveUp of [...this.#open]) giveUp();
    this.#stopChecking?.();
    this.#stopChecking = null;
  }

  /** Repeats a check later. All checks share one timer, because there may be thousands of them. */
  #checkAgain(check: () => void): void {
    this.#unfolded.add(check);
    this.#stopChecking ??= this.#node.environment.setTimer(CHECK_MS, () => {
      this.#stopChecking = null;
      for (const checkOne of [...this.#unfolded]) checkOne();
    });
  }
}
