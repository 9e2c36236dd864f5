/**
 * What every listener on TCP is: it lets clients in, a bounded number, through TLS where there is a certificate, and closes
 * them when they are still, hold too much, or the daemon stops. Its unit of work is a connection, which it knows as Hosted.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import type { Environment } from "../environment.js";
import type { Limits } from "../limits.js";
import type { Observer } from "../observer.js";
import { RefusalLog } from "../refusal-log.js";
import type { Service } from "../service.js";
import { StartError } from "../start-error.js";
import { ByteBudget } from "./byte-budget.js";
import type { Hosted, SocketHost } from "./connection-host.js";
import type { TlsGate } from "./tls-gate.js";

/** Connections that the system completes before we have accepted them. */
const BACKLOG = 1024;
/** The connections' times are looked at ten times in an idle time, within these bounds in milliseconds. */
const CHECKS_PER_IDLE_TIME = 10;
const CHECK_MOST_MS = 1000;
/** Milliseconds beyond a backend's time that connections in flight are given when the daemon stops. */
const STOP_GRACE_MS = 1000;

export interface SocketListenerParts {
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
  readonly observer: Observer;
  readonly limits: Limits;
  readonly environment: Environment;
  readonly log: Logger;
  /** Called once. @returns what makes a connection of a socket */
  readonly connector: (host: SocketHost) => (socket: Socket) => Hosted;
}

export class SocketListener implements Service {
  readonly #parts: SocketListenerParts;
  readonly #server: Server;
  readonly #gate: TlsGate | null;
  readonly #connections = new Set<Hosted>();
  readonly #refusals: RefusalLog;
  readonly #budget: ByteBudget;
  readonly #host: SocketHost;
  readonly #connectionOf: (socket: Socket) => Hosted;
  #timer: NodeJS.Timeout | null = null;
  #allGone: (() => void) | null = null;

  constructor(parts: SocketListenerParts) {
    this.#parts = parts;
    this.#refusals = new RefusalLog(parts.log, parts.environment);
    this.#budget = new ByteBudget(parts.limits.maxBufferedBytes);
    this.#gate = parts.gate?.(this.#refusals) ?? null;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#welcome(socket));
    this.#host = this.#makeHost();
    this.#connectionOf = parts.connector(this.#host);
  }

  /** Where it listens. */
  get address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** Bytes of unfinished requests and untaken answers. */
  get bufferedBytes(): number {
    return this.#budget.held;
  }

  async start(): Promise<void> {
    const { address, port } = this.#parts;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (reason: NodeJS.ErrnoException) => reject(listenError(reason, this.#parts)));
      this.#server.listen({ host: address, port, backlog: BACKLOG }, resolve);
    });
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
  set limits(limits: Limits) {
    this.#host.limits = limits;
    this.#budget.most = limits.maxBufferedBytes;
    this.#startTimer();
  }

  #makeHost(): SocketHost {
    const { environment, log, observer, limits } = this.#parts;
    return {
      ...{ environment, log, observer, limits },
      refusals: this.#refusals,
      budget: this.#budget,
      leave: (connection) => this.#forget(connection),
      overBudget: () => this.#closeBiggest(),
    };
  }

  #welcome(socket: Socket): void {
    const clients = this.#connections.size + (this.#gate?.size ?? 0);
    if (clients >= this.#host.limits.maxConnections && !this.#gate?.dropOldest()) {
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

  #connect(socket: Socket): void {
    this.#connections.add(this.#connectionOf(socket));
    this.#parts.observer.connected(this.#parts.name, 1);
  }

  #forget(connection: Hosted): void {
    if (!this.#connections.delete(connection)) return;
    this.#parts.observer.connected(this.#parts.name, -1);
    if (this.#connections.size === 0) this.#allGone?.();
  }

  #closeBiggest(): void {
    let biggest: Hosted | null = null;
    for (const connection of this.#connections) {
      if (biggest === null || connection.heldBytes > biggest.heldBytes) biggest = connection;
    }
    if (biggest === null) return;
    const detail = `${biggest.heldBytes} of ${this.#budget.held} bytes`;
    this.#refusals.note("too-much-buffered", { remote: biggest.remote, detail });
    this.#parts.observer.refused(this.#parts.name, "too-much-buffered");
    biggest.destroy();
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

function listenError(reason: NodeJS.ErrnoException, { address, port, options }: SocketListenerParts): Error {
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
