/**
 * What every listener on TCP is: it lets clients in, a bounded number, through TLS where there is a certificate, and closes
 * them when they are still, hold too much, or the daemon stops. Its unit of work is a connection, which it knows as Hosted.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import type { Environment } from "../process/environment.js";
import type { Service } from "../process/service.js";
import { StartError } from "../process/start-error.js";
import { ByteBudget, strangersMost } from "./byte-budget.js";
import type { Hosted, SocketHost } from "./connection-host.js";
import type { ConnectionLimits } from "./connection-limits.js";
import type { ConnectionObserver } from "./connection-observer.js";
import { Pushes } from "./pushes.js";
import { RefusalLog, type Refusals } from "./refusal-log.js";
import { Strangers } from "./strangers.js";
import type { TlsGate } from "./tls-gate.js";

/** Connections that the system completes before we have accepted them. */
const BACKLOG = 1024;
/** The connections' times are looked at ten times in an idle time, within these bounds in milliseconds. */
const CHECKS_PER_IDLE_TIME = 10;
const CHECK_MOST_MS = 1000;
/** Share of strangers that go at once when they hold too much: to find them all are looked at. */
const CLOSED_TOGETHER = 1 / 64;
/** Milliseconds beyond a backend's time that connections in flight are given when the daemon stops. */
const STOP_GRACE_MS = 1000;

export interface SocketListenerParts<L extends ConnectionLimits, O extends ConnectionObserver> {
  /** For metrics. */
  readonly name: string;
  /** An address, not a name. */
  readonly address: string;
  /** 0: a free one. */
  readonly port: number;
  /** The options that choose address and port, for messages. */
  readonly options: { readonly address: string; readonly port: string };
  /** What clients pass before they are connected; null: no TLS. */
  readonly gate: ((refusals: RefusalLog) => TlsGate) | null;
  /** What a client is told that is one too many; "": nothing. */
  readonly fullText: string;
  readonly observer: O;
  readonly limits: L;
  /** Code → sentence: connection-refusals.ts has those that are needed here. */
  readonly refusals: Refusals;
  readonly environment: Environment;
  readonly log: Logger;
  /** Called once. @returns what makes a connection of a socket */
  readonly connector: (host: SocketHost<L, O>) => (socket: Socket) => Hosted;
}

export interface ListenAddress {
  readonly address: string;
  /** 0: any free one, before the start. */
  readonly port: number;
}

export class SocketListener<
  L extends ConnectionLimits = ConnectionLimits,
  O extends ConnectionObserver = ConnectionObserver,
> implements Service
{
  readonly #parts: SocketListenerParts<L, O>;
  readonly #server: Server;
  readonly #gate: TlsGate | null;
  readonly #connections = new Set<Hosted>();
  readonly #strangers = new Strangers();
  readonly #refusals: RefusalLog;
  readonly #budget: ByteBudget;
  readonly #host: SocketHost<L, O>;
  readonly #connectionOf: (socket: Socket) => Hosted;
  #address: ListenAddress;
  #timer: NodeJS.Timeout | null = null;
  #allGone: (() => void) | null = null;

  constructor(parts: SocketListenerParts<L, O>) {
    this.#parts = parts;
    this.#address = { address: parts.address, port: parts.port };
    this.#refusals = new RefusalLog(parts.log, parts.environment, parts.refusals);
    this.#budget = new ByteBudget(parts.limits.maxBufferedBytes, strangersMost(parts.limits));
    this.#gate = parts.gate?.(this.#refusals) ?? null;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#welcome(socket));
    this.#host = this.#makeHost();
    this.#connectionOf = parts.connector(this.#host);
  }

  /** Where it listens, or is to listen, or listened: requests come before the start of one listener and after the end of another. */
  get address(): ListenAddress {
    return this.#address;
  }

  /** Bytes of unfinished requests and untaken answers. */
  get bufferedBytes(): number {
    return this.#budget.held;
  }

  /** For metrics. */
  get name(): string {
    return this.#parts.name;
  }

  /** Who is connected, in the order in which they came. */
  get clients(): Iterable<Hosted> {
    return this.#connections;
  }

  async start(): Promise<void> {
    const { address, port } = this.#parts;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (reason: NodeJS.ErrnoException) =>
        reject(listenError(reason, this.#parts, this.#parts.options)),
      );
      this.#server.listen({ host: address, port, backlog: BACKLOG }, resolve);
    });
    this.#address = this.#server.address() as AddressInfo;
    this.#server.removeAllListeners("error");
    this.#server.on("error", (reason) =>
      this.#parts.log.error({ reason: reason.message }, "could not accept a connection"),
    );
    this.#startTimer();
  }

  /**
   * Nobody new is let in; what has been received whole is answered, for as long as a backend may take and a
   * little more.
   */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#gate?.stop();
    const allGone = new Promise<void>((resolve) => {
      this.#allGone = resolve;
    });
    for (const connection of [...this.#connections]) connection.stop();
    const deadline = setTimeout(() => this.#destroyAll(), this.#host.limits.backendTimeout + STOP_GRACE_MS);
    if (this.#connections.size > 0) await allGone;
    clearTimeout(deadline);
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** New bounds; for connections that are open, all but the size of a request. */
  set limits(limits: L) {
    this.#host.limits = limits;
    this.#budget.limits = limits;
    this.#startTimer();
  }

  #makeHost(): SocketHost<L, O> {
    const { environment, log, observer, limits } = this.#parts;
    return {
      environment,
      log,
      observer,
      limits,
      refusals: this.#refusals,
      budget: this.#budget,
      pushes: new Pushes(),
      rejected: 0,
      heard: (connection) => this.#strangers.heard(connection),
      proved: (connection) => this.#strangers.delete(connection),
      leave: (connection) => this.#forget(connection),
      overBudget: () => this.#freeBytes(),
    };
  }

  #welcome(socket: Socket): void {
    const clients = this.#connections.size + (this.#gate?.size ?? 0);
    if (clients >= this.#host.limits.maxConnections && !this.#makeRoom()) {
      this.#host.rejected++;
      const remote = `${socket.remoteAddress}:${socket.remotePort}`;
      this.#refusals.note("too-many-connections", {
        remote,
        detail: `${this.#connections.size} connections`,
      });
      this.#parts.observer.refused(this.#parts.name, "too-many-connections");
      const { fullText } = this.#parts;
      if (fullText === "" || this.#gate !== null) socket.destroy();
      else socket.on("error", ignore).end(fullText, "latin1").destroySoon();
      return;
    }
    if (this.#gate === null) this.#connect(socket);
    else this.#gate.admit(socket, (secured) => this.#connect(secured));
  }

  /** Who has proved nothing gives way. @returns whether there was anybody */
  #makeRoom(): boolean {
    // Of those in their handshake and those behind it the more numerous: honest ones are neither for long.
    if ((this.#gate?.size ?? 0) > this.#strangers.size && this.#gate?.dropOldest()) return true;
    const silent = this.#strangers.silentLongest;
    if (silent === null) return false;
    this.#refusals.note("too-many-connections", { remote: silent.remote, detail: GAVE_WAY });
    this.#parts.observer.refused(this.#parts.name, "too-many-connections");
    silent.destroy();
    return true;
  }

  #connect(socket: Socket): void {
    const connection = this.#connectionOf(socket);
    this.#connections.add(connection);
    this.#strangers.heard(connection);
    this.#parts.observer.connected(this.#parts.name, 1);
  }

  #forget(connection: Hosted): void {
    if (!this.#connections.delete(connection)) return;
    this.#strangers.delete(connection);
    this.#parts.observer.connected(this.#parts.name, -1);
    if (this.#connections.size === 0) this.#allGone?.();
  }

  /** Too much is held: who has proved nothing goes before who has. */
  #freeBytes(): void {
    const budget = this.#budget;
    const strangers = budget.isStrangersTurn ? this.#strangers.slowest(this.#parts.environment.uptime()) : [];
    const least = strangers.length * CLOSED_TOGETHER;
    for (const [place, stranger] of strangers.entries()) {
      if (place >= least && budget.isKept) return;
      this.#close(stranger, `of ${budget.heldByStrangers} bytes of clients that have proved nothing`);
    }
    if (budget.isKept) return;
    const biggest = this.#biggest();
    if (biggest !== null) this.#close(biggest, `of ${budget.held} bytes`);
  }

  #close(connection: Hosted, what: string): void {
    const detail = `${connection.heldBytes} ${what}`;
    this.#refusals.note("too-much-buffered", { remote: connection.remote, detail });
    this.#parts.observer.refused(this.#parts.name, "too-much-buffered");
    connection.destroy();
  }

  #biggest(): Hosted | null {
    let biggest: Hosted | null = null;
    for (const connection of this.#connections) {
      if (biggest === null || connection.heldBytes > biggest.heldBytes) biggest = connection;
    }
    return biggest;
  }

  #destroyAll(): void {
    this.#parts.log.warn(
      { connections: this.#connections.size },
      "closing connections that did not finish in time",
    );
    for (const connection of [...this.#connections]) connection.destroy();
  }

  #startTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    const interval = Math.min(CHECK_MOST_MS, this.#host.limits.idleTimeout / CHECKS_PER_IDLE_TIME);
    this.#timer = setInterval(() => this.#checkTimes(), interval).unref();
  }

  #checkTimes(): void {
    const now = this.#parts.environment.uptime();
    for (const connection of this.#connections) connection.checkTime(now);
  }
}

const GAVE_WAY = "it had proved nothing, and gave way to a newer connection";

function listenError(
  reason: NodeJS.ErrnoException,
  { address, port }: ListenAddress,
  options: { readonly address: string; readonly port: string },
): Error {
  const place = `${address}, port ${port}`;
  switch (reason.code) {
    case "EADDRINUSE":
      return new StartError(
        `${place}: another program listens there. Stop it, or choose another port with ${options.port}.`,
        1,
      );
    case "EADDRNOTAVAIL":
      return new StartError(
        `${place}: this machine has no such address. Choose one of its own with ${options.address}.`,
        1,
      );
    case "EACCES":
      return new StartError(
        `${place}: not permitted. Ports below 1024 need privileges; choose another with ${options.port}.`,
        1,
      );
    default:
      return new StartError(`${place}: cannot listen there: ${reason.message}`, 1);
  }
}

function ignore(): void {}
