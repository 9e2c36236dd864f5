/**
 * Counts the other daemons that have a write on disk, for WAIT. Without --data, a copy in a daemon's memory counts too.
 * Callers can also wait until there are enough copies.
 */

import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { OrderKey } from "../../timeline/entries/entry.js";

/** The part of the peers' interface that is used here. */
export interface CopyPeers {
  /** Returns the number of other daemons that are known to have the entry on disk. */
  copies(orderKey: OrderKey): number;
  /**
   * Resolves when the given number of daemons, including this one, have reported that the entry is on their disk. After
   * a while the promise is dropped without being resolved.
   */
  replicated(orderKey: OrderKey, daemons: number): Promise<void>;
}

/** The condition that a client waits for, and its time limit. */
export interface CopiesCondition {
  /**
   * The order key of the write, or null if the client has written nothing. In that case the daemons only need to be
   * connected.
   */
  readonly orderKey: OrderKey | null;
  /** The number of daemons in addition to this one. */
  readonly wanted: number;
  /** The time limit in milliseconds, or 0 for no limit. */
  readonly milliseconds: number;
}

/** Maximum number of clients that wait. */
const WAITING_MAX = 10_000;
/** The interval at which the request to the peers is repeated before it expires, in milliseconds. */
const RETRY_MS = 15_000;
/** The interval between two checks of the connected daemons, in milliseconds. */
const CHECK_MS = 100;
/** The longest possible timer in milliseconds. A wait with a longer time limit has no timer. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class DurableCopies {
  readonly #peers: CopyPeers;
  readonly #environment: Environment;
  /** Returns the number of other daemons that are connected. */
  readonly #members: () => number;
  /** Returns whether no daemon is connected or configured as a peer. */
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

  /**
   * Returns the number of other daemons that are known to have a write.
   * @param orderKey  the order key of the write, or null to count all connected daemons, if nothing was written
   */
  count(orderKey: OrderKey | null): number {
    return orderKey === null ? this.#members() : this.#peers.copies(orderKey);
  }

  /**
   * Waits until enough daemons have a write.
   * @param ended  called once: when enough daemons have the write, when the time is up, or immediately if too many
   * clients wait
   * @returns a function that ends the wait early, and does nothing if the wait has already ended
   */
  wait({ orderKey, wanted, milliseconds }: CopiesCondition, ended: () => void): () => void {
    if (this.#waiting >= WAITING_MAX) {
      ended();
      return () => {};
    }

    this.#waiting++;
    let cancelRetry = () => {};
    let cancelTimer = () => {};
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      this.#waiting--;
      cancelRetry();
      cancelTimer();
      ended();
    };
    const requestReports = () => {
      if (orderKey === null && this.#members() >= wanted) return end();
      if (orderKey !== null) this.#peers.replicated(orderKey, wanted + 1).then(end);
      cancelRetry = this.#environment.setTimer(orderKey === null ? CHECK_MS : RETRY_MS, requestReports);
    };

    if (milliseconds > 0 && milliseconds <= TIMER_MS_MAX)
      cancelTimer = this.#environment.setTimer(milliseconds, end);
    requestReports();
    return end;
  }
}
