/** The listener of versions 1 and 2: php-dbsync's port. Its unit of work is a connection. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Environment } from "../environment.js";
import type { Limits } from "../limits.js";
import type { Observer } from "../observer.js";
import type { Pipeline } from "../pipeline.js";
import { RefusalLog } from "../refusal-log.js";
import type { Service } from "../service.js";
import { StartError } from "../start-error.js";
import { ByteBudget } from "./byte-budget.js";
import { Connection } from "./connection.js";
import type { ConnectionHost, Hosted, TakeMember } from "./connection-host.js";
import type { TlsGate } from "./tls-gate.js";

/** For metrics: which version a connection speaks is seen only at its first frame. */
const LISTENER = "dbsync";
/** Connections that the system completes before we have accepted them. */
const BACKLOG = 1024;
/** The connections' times are looked at ten times in an idle time, within these bounds in milliseconds. */
const CHECKS_PER_IDLE_TIME = 10;
const CHECK_MOST_MS = 1000;
/** Milliseconds beyond a backend's time that connections in flight are given when the daemon stops. */
const STOP_GRACE_MS = 1000;

export interface DbsyncParts {
  /** An address, not a name. */
  readonly address: string;
  /** 0: a free one. */
  readonly port: number;
  /** What clients pass before they are connected; null: no TLS. */
  readonly gate: ((refusals: RefusalLog) => TlsGate) | null;
  readonly closeAfterAnswer: boolean;
  readonly takesVersion1: boolean;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Takes connections of other daemons; without it they are served as clients. */
  readonly members?: TakeMember | null;
  readonly observer: Observer;
  readonly limits: Limits;
  readonly pipeline: Pipeline;
  readonly environment: Environment;
  readonly log: Logger;
}

export class DbsyncListener implements Service {
  readonly #parts: DbsyncParts;
  readonly #server: Server;
  readonly #gate: TlsGate | null;
  readonly #connections = new Set<Hosted>();
  readonly #refusals: RefusalLog;
  readonly #budget: ByteBudget;
  readonly #host: ConnectionHost;
  #limits: Limits;
  #timer: NodeJS.Timeout | null = null;
  #allGone: (() => void) | null = null;

  constructor(parts: DbsyncParts) {
    this.#parts = parts;
    this.#limits = parts.limits;
    this.#refusals = new RefusalLog(parts.log, parts.environment);
    this.#budget = new ByteBudget(parts.limits.maxBufferedBytes);
    this.#gate = parts.gate?.(this.#refusals) ?? null;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#welcome(socket));
    this.#host = this.#makeHost();
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
      this.#server.once("error", (reason: NodeJS.ErrnoException) =>
        reject(listenError(reason, address, port)),
      );
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
    const deadline = setTimeout(() => this.#destroyAll(), this.#limits.backendTimeout + STOP_GRACE_MS);
    if (this.#connections.size > 0) await allGone;
    clearTimeout(deadline);
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** New bounds; for connections that are open, all but the size of a request. */
  set limits(limits: Limits) {
    this.#limits = limits;
    this.#budget.most = limits.maxBufferedBytes;
    this.#startTimer();
  }

  #makeHost(): ConnectionHost {
    const { pipeline, environment, log, observer, daemon, closeAfterAnswer, takesVersion1 } = this.#parts;
    const limits = () => this.#limits;
    return {
      ...{ pipeline, environment, log, observer, daemon },
      members: this.#parts.members ?? null,
      takesVersion1,
      closeAfterAnswer,
      refusals: this.#refusals,
      budget: this.#budget,
      get limits() {
        return limits();
      },
      leave: (connection) => this.#forget(connection),
      overBudget: () => this.#closeBiggest(),
    };
  }

  #welcome(socket: Socket): void {
    const clients = this.#connections.size + (this.#gate?.size ?? 0);
    if (clients >= this.#limits.maxConnections && !this.#gate?.dropOldest()) {
      const remote = `${socket.remoteAddress}:${socket.remotePort}`;
      this.#refusals.note("too-many-connections", {
        remote,
        detail: `${this.#connections.size} connections`,
      });
      this.#parts.observer.refused(LISTENER, "too-many-connections");
      socket.destroy();
      return;
    }
    if (this.#gate === null) this.#connect(socket);
    else this.#gate.admit(socket, (secured) => this.#connect(secured));
  }

  #connect(socket: Socket): void {
    this.#connections.add(new Connection(socket, this.#host));
    this.#parts.observer.connected(LISTENER, 1);
  }

  #forget(connection: Hosted): void {
    if (!this.#connections.delete(connection)) return;
    this.#parts.observer.connected(LISTENER, -1);
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
    this.#parts.observer.refused(LISTENER, "too-much-buffered");
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
    const interval = Math.min(CHECK_MOST_MS, this.#limits.idleTimeout / CHECKS_PER_IDLE_TIME);
    this.#timer = setInterval(() => this.#checkTimes(), interval).unref();
  }

  #checkTimes(): void {
    const now = this.#parts.environment.uptime();
    for (const connection of this.#connections) connection.checkTime(now);
  }
}

function listenError(reason: NodeJS.ErrnoException, address: string, port: number): Error {
  const place = `${address}, port ${port}`;
  switch (reason.code) {
    case "EADDRINUSE":
      return new StartError(
        `${place}: another program listens there. Stop it, or choose another port with -p.`,
        1,
      );
    case "EADDRNOTAVAIL":
      return new StartError(`${place}: this machine has no such address. Choose one of its own with -b.`, 1);
    case "EACCES":
      return new StartError(
        `${place}: not permitted. Ports below 1024 need privileges; choose another with -p.`,
        1,
      );
    default:
      return new StartError(`${place}: cannot listen there: ${reason.message}`, 1);
  }
}
