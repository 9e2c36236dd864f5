/**
 * How many other daemons have a write on their disks (without --data: in their timelines), for WAIT: told at once, or when
 * there are as many as were wanted.
 */

import type { Environment } from "../../net/process/environment.js";
import type { Place } from "../../timeline/entries/entry.js";

/** What is used of the peers. */
export interface CopyPeers {
  /** Other daemons that are known to have it on their disks. */
  copies(place: Place): number;
  /** Resolves when so many daemons, this one among them, have said that it is on their disk; forgotten after a while. */
  replicated(place: Place, daemons: number): Promise<void>;
}

/** Who waits for how long. */
export interface CopiesWait {
  /** null: nothing was written, and what is waited for is that so many are connected. */
  readonly place: Place | null;
  /** Daemons besides this one. */
  readonly wanted: number;
  /** 0: for ever. */
  readonly milliseconds: number;
}

/** Clients that may wait at a time. */
const WAITING_MOST = 10_000;
/** Milliseconds after which the peers are asked anew: they forget who waits. */
const ASK_AGAIN_MS = 15_000;
/** Milliseconds between two looks at who is connected. */
const LOOK_MS = 100;
/** A timer takes no longer times; who waits for longer waits for ever. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Copies {
  readonly #peers: CopyPeers;
  readonly #environment: Environment;
  /** How many other daemons are connected. */
  readonly #members: () => number;
  /** Whether there are none, nor is this daemon to connect to any. */
  readonly #isAlone: () => boolean;
  #waiting = 0;

  constructor({
    peers,
    members,
    isAlone,
    environment,
  }: {
    readonly peers: CopyPeers;
    readonly members: () => number;
    readonly isAlone: () => boolean;
    readonly environment: Environment;
  }) {
    this.#peers = peers;
    this.#members = members;
    this.#isAlone = isAlone;
    this.#environment = environment;
  }

  get isAlone(): boolean {
    return this.#isAlone();
  }

  /** Other daemons that are known to have a write. @param place  null: nothing was written, which all that are connected have */
  count(place: Place | null): number {
    return place === null ? this.#members() : this.#peers.copies(place);
  }

  /**
   * Waits until as many have it as are wanted.
   * @param ended  called once: there are, or the time is over; at once if too many wait
   * @returns ends it before; it does no harm afterwards
   */
  wait({ place, wanted, milliseconds }: CopiesWait, ended: () => void): () => void {
    if (this.#waiting >= WAITING_MOST) {
      ended();
      return () => {};
    }
    this.#waiting++;
    let cancelAsking = () => {};
    let cancelTimer = () => {};
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      this.#waiting--;
      cancelAsking();
      cancelTimer();
      ended();
    };
    const ask = () => {
      if (place === null && this.#members() >= wanted) return end();
      if (place !== null) this.#peers.replicated(place, wanted + 1).then(end);
      cancelAsking = this.#environment.setTimer(place === null ? LOOK_MS : ASK_AGAIN_MS, ask);
    };
    if (milliseconds > 0 && milliseconds <= TIMER_MS_MAX)
      cancelTimer = this.#environment.setTimer(milliseconds, end);
    ask();
    return end;
  }
}
