/**
 * The open connections of one listener, and the state that they share: limits, log, refusals, the byte budget. If the
 * connections hold too many bytes in total, the registry closes unauthenticated connections first.
 */
import type { Logger } from "pino";
import type { Environment } from "../process/clock-and-randomness.js";
import { RefusalLog, type Refusals } from "./connection-refusals.js";
import type { ClientDoing } from "./dialect.js";
import { PushedOutput } from "./pushed-output.js";

/** The receiver of events of connections; metrics count them. */
export interface ConnectionObserver {
  connected(listener: string, change: 1 | -1): void;
  /**
   * Called when a connection was refused or closed.
   * @param code  one of the codes for which the listener has a sentence
   */
  refused(listener: string, code: string): void;
}

/** The limits for a listener's connections. The program sets them, and defines their names for users. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxRequestBytes: number;
  /** The maximum number of bytes that one client may leave unread. */
  readonly maxOutputBytes: number;
  /** The maximum number of bytes that all connections together may hold: unfinished requests and unread answers. */
  readonly maxBufferedBytes: number;
  /** The maximum number of bytes that all unauthenticated connections together may hold. */
  readonly maxUnprovenBytes: number;
  /** The milliseconds within which the remainder of a request must arrive, and within which a client must read. */
  readonly idleTimeout: number;
  /** The milliseconds that an answer may take. */
  readonly backendTimeout: number;
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
  readonly #unauthenticated = new Unauthenticated();
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
      refusals: Refusals;
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
    this.refusals.note("too-many-connections", { remote, detail });
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
    this.refusals.note("too-much-buffered", { remote: connection.remote, detail });
    this.observer.refused(this.#listener, "too-much-buffered");
    connection.destroy();
  }
}

const GAVE_WAY = "it was not authenticated, and was replaced by a newer connection";

/**
 * The minimum number of bytes that a connection to close must hold, as a share of the median. Closing a connection with
 * fewer bytes would free too little memory.
 */
const WORTH_CLOSING = 1 / 2;
/**
 * The maximum share of all bytes that the connections of one address may hold if it has several. Above it, the
 * connections of this address are closed first.
 */
const SHARE_OF_ADDRESS_MAX = 1 / 2;

interface Share {
  bytes: number;
  readonly connections: OpenConnection[];
}

/**
 * The unauthenticated connections of a listener, which have sent no valid signature or login or, if none is required,
 * no request. They are closed first. If there are too many connections, the one that has been silent longest is closed
 * to admit a new one. If the connections hold too many bytes, the ones that send most slowly are closed first, so that
 * faster clients can complete their requests.
 */
class Unauthenticated {
  /** The connections; the one that has been silent longest is first. */
  readonly #connections = new Set<OpenConnection>();

  /** Records a new connection, or one that has sent bytes. */
  received(connection: OpenConnection): void {
    this.#connections.delete(connection);
    this.#connections.add(connection);
  }

  delete(connection: OpenConnection): void {
    this.#connections.delete(connection);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** The connection that has been silent longest, or null if there is none. */
  get longestSilent(): OpenConnection | null {
    for (const connection of this.#connections) return connection;
    return null;
  }

  /**
   * Returns the connections to close if they hold too many bytes, the slowest first.
   * @param now  `uptime` milliseconds
   */
  slowest(now: number): readonly OpenConnection[] {
    const shares = new Map<string, Share>();
    const all: Share = { bytes: 0, connections: [] };
    for (const connection of this.#connections) {
      if (connection.heldBytes === 0) continue;
      const share = shares.get(connection.address) ?? { bytes: 0, connections: [] };
      shares.set(connection.address, share);
      for (const one of [share, all]) {
        one.bytes += connection.heldBytes;
        one.connections.push(connection);
      }
    }
    const greedy = [...shares.values()].find(
      ({ bytes, connections }) => connections.length > 1 && bytes > all.bytes * SHARE_OF_ADDRESS_MAX,
    );
    return slowestFirst(greedy ?? all, now);
  }
}

function slowestFirst({ connections }: Share, now: number): readonly OpenConnection[] {
  const sizes = connections.map(({ heldBytes }) => heldBytes).sort((a, b) => a - b);
  // The mean is unsuitable, because one large request can raise it above all small ones.
  const min = (sizes[sizes.length >> 1] ?? 0) * WORTH_CLOSING;
  const pace = ({ heldBytes, activeAt }: OpenConnection) => heldBytes / Math.max(1, now - activeAt);
  return connections.filter(({ heldBytes }) => heldBytes >= min).sort((a, b) => pace(a) - pace(b));
}

/** The part of a client's connection that its listener and the byte budget use. */
export interface OpenConnection {
  /** Address and port, as the log shows them. */
  readonly remote: string;
  /** The address without the port. */
  readonly address: string;
  /** The number of bytes of unfinished requests and unread answers. */
  readonly heldBytes: number;
  /** The part of `heldBytes` that are answers. */
  readonly unreadBytes: number;
  readonly doing: ClientDoing;
  /** The time at which it was opened, in `uptime` milliseconds. */
  readonly openedAt: number;
  /** The time at which the current request began or the last byte was received, in `uptime` milliseconds. */
  readonly activeAt: number;
  /** Closes the connection if it has been idle for too long. Called regularly. @param now  `uptime` milliseconds */
  checkTime(now: number): void;
  /** Serves the complete frames that were received, then closes. */
  stop(): void;
  /** Closes immediately, even if requests are in progress. */
  destroy(): void;
}

/** The number of requests of the maximum size that unauthenticated clients can always hold. */
const UNAUTHENTICATED_REQUESTS = 2;

/**
 * The part of the limit that unread answers may use. A short request may have a long answer, and the answers of some
 * clients must not use the memory that other clients need for their requests.
 */
const ANSWERS_SHARE = 1 / 2;
/** The bytes of unread answers from which the garbage is bounded, until all of them are read. */
const BOUNDED_FROM_BYTES = 8 * 1024 * 1024;

/** The connections of one listener, as the budget sees them. */
export interface BudgetHolder {
  readonly all: Iterable<OpenConnection>;
  closeUnauthenticated(): void;
  close(connection: OpenConnection, what: string): void;
}

/**
 * The total number of bytes that the connections of all listeners hold: unfinished requests and unsent answers.
 * Unauthenticated connections have a separate limit, which is much lower than the total limit, and so have answers.
 */
export class ByteBudget {
  /** The listeners that share the budget. */
  readonly holders = new Set<BudgetHolder>();
  /** The limit in bytes, which is replaced when the daemon reads its configuration again. */
  #max = 0;
  /** The limit for all unauthenticated connections together. */
  #maxUnauthenticated = 0;
  #held = 0;
  #heldUnauthenticated = 0;
  #answers = 0;
  readonly #boundGarbage: (isBounded: boolean) => void;
  #isGarbageBounded = false;

  /** @param boundGarbage  begins or ends the bound of the garbage that the writing of long answers leaves */
  constructor(limits: ConnectionLimits, boundGarbage: (isBounded: boolean) => void = () => undefined) {
    this.#boundGarbage = boundGarbage;
    this.limits = limits;
  }

  get held(): number {
    return this.#held;
  }

  get heldUnauthenticated(): number {
    return this.#heldUnauthenticated;
  }

  /** Whether the held bytes are within all limits. */
  get isWithinLimits(): boolean {
    const isWithin = this.#held <= this.#max && this.#heldUnauthenticated <= this.#maxUnauthenticated;
    return isWithin && !this.#hasTooManyAnswers;
  }

  get #hasTooManyAnswers(): boolean {
    return this.#answers > this.#max * ANSWERS_SHARE;
  }

  /** Returns the number of bytes of a connection that count for the limit that is exceeded now. */
  excessOf({ heldBytes, unreadBytes }: OpenConnection): number {
    return this.#held <= this.#max && this.#hasTooManyAnswers ? unreadBytes : heldBytes;
  }

  /** Whether an unauthenticated connection must be closed before an authenticated one. */
  get isUnauthenticatedTurn(): boolean {
    return (
      this.#heldUnauthenticated > this.#maxUnauthenticated ||
      this.#heldUnauthenticated >= this.#held - this.#max
    );
  }

  /**
   * Changes the number of held bytes.
   * @param bytes       the increase, or the decrease if negative
   * @param answers     the part of it that are answers
   * @param isUnauthenticated  whether an unauthenticated connection holds them
   * @returns whether the held bytes are within all limits
   */
  change(bytes: number, answers: number, isUnauthenticated: boolean): boolean {
    this.#held += bytes;
    this.#answers += answers;
    const isBounded = this.#answers > (this.#isGarbageBounded ? 0 : BOUNDED_FROM_BYTES);
    if (isBounded !== this.#isGarbageBounded) {
      this.#isGarbageBounded = isBounded;
      this.#boundGarbage(isBounded);
    }
    if (isUnauthenticated) this.#heldUnauthenticated += bytes;
    return this.isWithinLimits;
  }

  /** Counts bytes as those of an authenticated connection from now on. */
  prove(bytes: number): void {
    this.#heldUnauthenticated -= bytes;
  }

  /** Replaces the limits. */
  set limits(limits: ConnectionLimits) {
    this.#max = limits.maxBufferedBytes;
    this.#maxUnauthenticated = maxUnauthenticatedBytes(limits);
  }
}

/**
 * Returns the limit for all unauthenticated connections together, with room for at least two requests of the maximum
 * size.
 */
function maxUnauthenticatedBytes({
  maxBufferedBytes,
  maxUnprovenBytes,
  maxRequestBytes,
}: ConnectionLimits): number {
  return Math.min(maxBufferedBytes, Math.max(maxUnprovenBytes, UNAUTHENTICATED_REQUESTS * maxRequestBytes));
}
