/**
 * Delays results until their writes are final (`stable`) or on the disks of other daemons (`replicated`). The number of
 * delayed results and the delay are limited. Source: docs/protocol-v2.md "Waiting".
 */

import type { Wait } from "../../../protocol/version-2/messages-v2.js";
import type { OrderKey } from "../../timeline/entries/entry.js";
import type { NodeState } from "./replica-context.js";

/** The maximum number of results that are delayed at the same time. */
const WAITING_MAX = 10_000;
/**
 * Maximum milliseconds of a `stable` wait. It is long, because nothing is final before the window has passed and all
 * members have sent their reports.
 */
const STABLE_MS_MAX = 60_000;
/** Maximum milliseconds of a `replicated` wait, which is the longest deadline of a client. */
const REPLICATED_MS_MAX = 20_000;
/** Milliseconds between two checks whether a final unit is in the state. */
const CHECK_MS = 20;

export class Confirmations {
  readonly #node: NodeState;
  readonly #open = new Set<() => void>();
  /** Functions that check again whether a final unit is in the state, and answer its client when it is. */
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
        // A snapshot may have replaced the state that contained the unit. In that case check that the new state
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
