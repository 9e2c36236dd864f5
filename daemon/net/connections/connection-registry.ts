/**
 * The open connections of one listener, and the state that they share: limits, log, refusals, the byte budget. If the
 * connections hold too many bytes in total, the registry closes unauthenticated connections first.
 */
import type { Logger } from "pino";
import type { Environment } from "../process/clock-and-randomness.js";
import { type BudgetHolder, ByteBudget } from "./byte-budget.js";
import type { ConnectionLimits } from "./connection-limits.js";
import { RefusalLog, type RefusalSentences } from "./connection-refusals.js";
import type { OpenConnection } from "./open-connection.js";
import { PushedOutput } from "./pushed-output.js";
import { UnauthenticatedConnections } from "./unauthenticated-connections.js";

/** The receiver of events of connections; metrics count them. */
export interface ConnectionObserver {
  connected(listener: string, change: 1 | -1): void;
  /**
   * Called when a connection was refused or closed.
   * @param code  one of the codes for which the listener has a sentence
   */
  refused(listener: string, code: string): void;
}

/**
 * The share of the unauthenticated connections that is closed in one step. Each step has to examine all unauthenticated
 * connections, so it closes several of them.
 */
const CLOSED_TOGETHER = 1 / 64;

export class ConnectionRegistry<
  L extends ConnectionLimits = ConnectionLimits,
  O extends ConnectionObserver = ConnectionObserver,
> {
  readonly environment: Environment;
  readonly log: Logger;
  readonly observer: O;
  readonly refusals: RefusalLog;
  readonly budget: ByteBudget;
  readonly pushes: PushedOutput = new PushedOutput();
  /** The limits, which are replaced when the configuration is read again. */
  limits: L;
  /** The number of connections that were refused because there were too many. */
  rejected = 0;
  readonly #listener: string;
  readonly #all = new Set<OpenConnection>();
  readonly #unauthenticated = new UnauthenticatedConnections();
  #onEmpty: (() => void) | null = null;

  /**
   * Creates a registry.
   * @param listener  the name of the listener in metrics
   * @param parts  `budget`: the budget that it shares with other listeners; default: a budget of its own
   */
  constructor(
    listener: string,
    {
      environment,
      log,
      observer,
      limits,
      refusals,
      budget,
    }: {
      environment: Environment;
      log: Logger;
      observer: O;
      limits: L;
      refusals: RefusalSentences;
      budget?: ByteBudget | undefined;
    },
  ) {
    this.#listener = listener;
    this.environment = environment;
    this.log = log;
    this.observer = observer;
    this.limits = limits;
    this.refusals = new RefusalLog(log, environment, refusals);
    this.budget = budget ?? new ByteBudget(limits);
    this.budget.holders.add(this);
  }

  get size(): number {
    return this.#all.size;
  }

  /** All connections, in the order in which they were opened. */
  get all(): Iterable<OpenConnection> {
    return this.#all;
  }

  /** The number of unauthenticated connections. */
  get unauthenticated(): number {
    return this.#unauthenticated.size;
  }

  add(connection: OpenConnection): void {
    this.#all.add(connection);
    this.#unauthenticated.received(connection);
    this.observer.connected(this.#listener, 1);
  }

  /** Records that an unauthenticated connection has sent bytes. */
  received(connection: OpenConnection): void {
    this.#unauthenticated.received(connection);
  }

  /** Records that the client of a connection has authenticated. */
  proved(connection: OpenConnection): void {
    this.#unauthenticated.delete(connection);
  }

  /** Removes a connection that is closed. */
  leave(connection: OpenConnection): void {
    if (!this.#all.delete(connection)) return;
    this.#unauthenticated.delete(connection);
    this.observer.connected(this.#listener, -1);
    if (this.#all.size === 0) this.#onEmpty?.();
  }

  /** Resolves when all connections are closed. */
  emptied(): Promise<void> {
    if (this.#all.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** Records that a connection was refused, or closed to admit another one, because there were too many. */
  refuseExcess(remote: string, detail: string): void {
    this.refusals.logRefusal("too-many-connections", { remote, detail });
    this.observer.refused(this.#listener, "too-many-connections");
  }

  /** Closes the unauthenticated connection that has been silent for the longest time. @returns whether there was one */
  dropSilent(): boolean {
    const silent = this.#unauthenticated.longestSilent;
    if (silent === null) return false;
    this.refuseExcess(silent.remote, GAVE_WAY);
    silent.destroy();
    return true;
  }

  /**
   * Handles an exceeded budget: closes unauthenticated connections, and then the one that holds the most bytes. The
   * connections of all listeners that share the budget count.
   */
  overBudget(): void {
    const budget = this.budget;
    if (budget.isUnauthenticatedTurn)
      for (const holder of new Set<BudgetHolder>([this, ...budget.holders])) {
        holder.closeUnauthenticated();
        if (budget.isWithinLimits) return;
      }

    let biggest: { readonly holder: BudgetHolder; readonly connection: OpenConnection } | null = null;
    for (const holder of budget.holders)
      for (const connection of holder.all)
        if (biggest === null || budget.excessOf(connection) > budget.excessOf(biggest.connection))
          biggest = { holder, connection };
    biggest?.holder.close(biggest.connection, `of ${budget.held} bytes`);
  }

  /** Closes the slowest unauthenticated connections, until the budget is no longer exceeded. */
  closeUnauthenticated(): void {
    const { budget } = this;
    const slowest = this.#unauthenticated.slowest(this.environment.uptime());
    const min = slowest.length * CLOSED_TOGETHER;
    for (const [index, connection] of slowest.entries()) {
      if (index >= min && budget.isWithinLimits) return;
      this.close(connection, `of ${budget.heldUnauthenticated} bytes of unauthenticated clients`);
    }
  }

  stopAll(): void {
    for (const connection of [...this.#all]) connection.stop();
  }

  destroyAll(): void {
    for (const connection of [...this.#all]) connection.destroy();
  }

  checkTimes(): void {
    const now = this.environment.uptime();
    for (const connection of this.#all) connection.checkTime(now);
  }

  /** Closes a connection because of the budget. @param what  the bytes of which its own are a part */
  close(connection: OpenConnection, what: string): void {
    const detail = `${connection.heldBytes} ${what}`;
    this.refusals.logRefusal("too-much-buffered", { remote: connection.remote, detail });
    this.observer.refused(this.#listener, "too-much-buffered");
    connection.destroy();
  }
}

const GAVE_WAY = "it was not authenticated, and was replaced by a newer connection";
