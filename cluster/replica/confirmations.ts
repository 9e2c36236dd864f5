/**
 * Results that wait until they are final (`stable`), or on the disks of other daemons (`replicated`): bounded in
 * number and time. Source: docs/protocol-v2.md "Waiting".
 */

import type { Wait } from "../../protocol/version-2/messages-v2.js";
import type { Place } from "../../timeline/entries/entry.js";
import type { NodeState } from "./replica-context.js";

/** Results that may wait at a time. */
const WAITING_MAX = 10_000;
/** Milliseconds: nothing is final before the window has passed, and the members have said so. */
const STABLE_MS_MAX = 60_000;
/** Milliseconds: a client's own longest deadline. */
const REPLICATED_MS_MAX = 20_000;
/** Milliseconds between two checks whether what is final is in the state. */
const LOOK_MS = 20;

export class Confirmations {
  readonly #node: NodeState;
  readonly #open = new Set<() => void>();
  /** Results that are final, and not yet in the state: each checks again, and ends when it is. */
  readonly #looking = new Set<() => void>();
  #stopLooking: (() => void) | null = null;

  constructor(node: NodeState) {
    this.#node = node;
  }

  /** Whether it was confirmed in time; false immediately if too many wait. */
  async confirm(place: Place, wait: Wait): Promise<boolean> {
    if (this.#open.size >= WAITING_MAX) return false;
    const { peering, environment } = this.#node;
    const isStable = wait.kind === "stable";
    const { handover } = this.#node.timeline;
    const { adoptions } = handover;
    return await new Promise<boolean>((resolve) => {
      const end = (came: boolean) => {
        cancel();
        this.#looking.delete(look);
        this.#open.delete(giveUp);
        // What was here before may have been replaced by a snapshot.
        resolve(came && (handover.adoptions === adoptions || this.#node.timeline.hasFolded(place)));
      };
      const giveUp = () => end(false);
      const cancel = environment.setTimer(isStable ? STABLE_MS_MAX : REPLICATED_MS_MAX, giveUp);
      this.#open.add(giveUp);
      const look = () => {
        if (this.#node.timeline.isFolded(place.at)) end(true);
        else if (this.#open.has(giveUp)) this.#lookAgain(look);
      };
      const came = isStable ? peering.stable(place.at) : peering.replicated(place, wait.daemons);
      came.then(isStable ? look : () => end(true), giveUp);
    });
  }

  /** Releases all that wait. */
  stop(): void {
    for (const giveUp of [...this.#open]) giveUp();
    this.#stopLooking?.();
    this.#stopLooking = null;
  }

  /** All are checked together: one timer serves thousands. */
  #lookAgain(look: () => void): void {
    this.#looking.add(look);
    this.#stopLooking ??= this.#node.environment.setTimer(LOOK_MS, () => {
      this.#stopLooking = null;
      for (const one of [...this.#looking]) one();
    });
  }
}
