/**
 * Results that wait until what they tell is final (`stable`), or on the disks of other daemons (`replicated`): bounded in
 * number and time. Source: docs/protocol-v2.md "Waiting".
 */

import type { Environment } from "../../net/process/environment.js";
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import type { Place } from "../../timeline/entries/entry.js";
import type { Handover } from "../../timeline/handover.js";

/** What is used of the peers. */
export interface ConfirmingPeers {
  /** Resolves when everything dated up to it is final. */
  stable(at: number): Promise<void>;
  /** Resolves when so many daemons, this one among them, have said that it is on their disk. */
  replicated(place: Place, daemons: number): Promise<void>;
}

/** What is used of the timeline. */
export interface ConfirmingTimeline {
  /** Whether its state has everything up to a date. */
  isFolded(at: number): boolean;
  /** Whether it has an entry, and its state too. */
  hasFolded(place: Place): boolean;
  readonly handover: Pick<Handover, "adoptions">;
}

export interface ConfirmationsParts {
  readonly peers: ConfirmingPeers;
  readonly timeline: ConfirmingTimeline;
  readonly environment: Pick<Environment, "setTimer">;
}

/** Results that may wait at a time. */
const WAITING_MOST = 10_000;
/** Milliseconds: nothing is final before the window has passed, and the members have said so. */
const STABLE_MOST_MS = 60_000;
/** Milliseconds: a client's own longest deadline. */
const REPLICATED_MOST_MS = 20_000;
/** Milliseconds between two looks whether what is final has become part of the state. */
const LOOK_MS = 20;

export class Confirmations {
  readonly #parts: ConfirmationsParts;
  readonly #open = new Set<() => void>();
  /** Final, and not yet part of the state: each looks, and ends when it is. */
  readonly #looking = new Set<() => void>();
  #stopLooking: (() => void) | null = null;

  constructor(parts: ConfirmationsParts) {
    this.#parts = parts;
  }

  /** Whether it came true in time; at once false if too many wait. */
  async confirm(place: Place, wait: Wait): Promise<boolean> {
    if (this.#open.size >= WAITING_MOST) return false;
    const { peers, environment } = this.#parts;
    const isStable = wait.kind === "stable";
    const { handover } = this.#parts.timeline;
    const { adoptions } = handover;
    return await new Promise<boolean>((resolve) => {
      const end = (came: boolean) => {
        cancel();
        this.#looking.delete(look);
        this.#open.delete(giveUp);
        // What was here before may have gone with a snapshot.
        resolve(came && (handover.adoptions === adoptions || this.#parts.timeline.hasFolded(place)));
      };
      const giveUp = () => end(false);
      const cancel = environment.setTimer(isStable ? STABLE_MOST_MS : REPLICATED_MOST_MS, giveUp);
      this.#open.add(giveUp);
      const look = () => {
        if (this.#parts.timeline.isFolded(place.at)) end(true);
        else if (this.#open.has(giveUp)) this.#lookAgain(look);
      };
      const came = isStable ? peers.stable(place.at) : peers.replicated(place, wait.daemons);
      came.then(isStable ? look : () => end(true), giveUp);
    });
  }

  /** Nobody waits any longer. */
  stop(): void {
    for (const giveUp of [...this.#open]) giveUp();
    this.#stopLooking?.();
    this.#stopLooking = null;
  }

  /** All look together: one timer serves thousands. */
  #lookAgain(look: () => void): void {
    this.#looking.add(look);
    this.#stopLooking ??= this.#parts.environment.setTimer(LOOK_MS, () => {
      this.#stopLooking = null;
      for (const one of [...this.#looking]) one();
    });
  }
}
