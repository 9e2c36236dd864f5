/**
 * The base of every TCP listener. It accepts a limited number of clients, with TLS if there is a certificate, and
 * closes them if they are idle or hold too many bytes, and when the daemon stops.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import type { Environment } from "../process/clock-and-randomness.js";
import type { ListenAddress } from "../process/host-and-port.js";
import { type Service, StartError } from "../process/service.js";
import type { RefusalLog, Refusals } from "./connection-refusals.js";
import {
  type ByteBudget,
  type ConnectionLimits,
  type ConnectionObserver,
  ConnectionRegistry,
  type OpenConnection,
} from "./connection-registry.js";
import type { TlsGate } from "./tls-gate.js";

/** The number of connections that the system completes before the listener accepts them. */
const BACKLOG = 1024;
/** The number of times per idle timeout that the listener checks for idle connections. */
const CHECKS_PER_IDLE_TIME = 10;
/** The maximum number of milliseconds between two of these checks. */
const CHECK_MS_MAX = 1000;
/**
 * The milliseconds, in addition to the backend's timeout, for which requests in progress may continue when the daemon
 * stops.
 */
const STOP_GRACE_MS = 1000;

export interface SocketListenerParts<L extends ConnectionLimits, O extends ConnectionObserver> {
  /** The listener's name in metrics. */
  readonly name: string;
  /** The address to listen on, not a name. */
  readonly address: string;
  /** The port, or 0 for any free one. */
  readonly port: number;
  /** The options that set address and port, for messages. */
  readonly options: { readonly address: string; readonly port: string };
  /** Creates the TLS gate that clients pass first; null without TLS. */
  readonly gate: ((refusals: RefusalLog) => TlsGate) | null;
  /** The text for a client above the maximum number of connections, or "" if there is none. */
  readonly fullText: string;
  readonly observer: O;
  readonly limits: L;
  /** The budget that it shares with the daemon's other listeners; default: a budget of its own. */
  readonly budget?: ByteBudget;
  /** The sentences by code, including those of connection-refusals.ts. */
  readonly refusals: Refusals;
  readonly environment: Environment;
  readonly log: Logger;
  /** Called once. @returns a function that creates a connection for a socket */
  readonly connector: (registry: ConnectionRegistry<L, O>) => (socket: Socket) => OpenConnection;
}

export class SocketListener<
  L extends ConnectionLimits = ConnectionLimits,
  O extends ConnectionObserver = ConnectionObserver,
> implements Service
{
  readonly #parts: SocketListenerParts<L, O>;
  readonly #server: Server;
  readonly #gate: TlsGate | null;
  readonly #registry: ConnectionRegistry<L, O>;
  readonly #connectionOf: (socket: Socket) => OpenConnection;
  #address: ListenAddress;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: SocketListenerParts<L, O>) {
    this.#parts = parts;
    this.#address = { address: parts.address, port: parts.port };
    this.#registry = new ConnectionRegistry(parts.name, parts);
    this.#gate = parts.gate?.(this.#registry.refusals) ?? null;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#welcome(socket));
    this.#connectionOf = parts.connector(this.#registry);
  }

  /**
   * The address of the listener. It is valid even before the start and after the stop, because clients of another
   * listener may ask for it then.
   */
  get address(): ListenAddress {
    return this.#address;
  }

  /** The number of bytes of unfinished requests and unread answers. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const { heldBytes } of this.#registry.all) bytes += heldBytes;
    return bytes;
  }

  /** The listener's name in metrics. */
  get name(): string {
    return this.#parts.name;
  }

  /** The connected clients, in the order in which they connected. */
  get clients(): Iterable<OpenConnection> {
    return this.#registry.all;
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
   * Stops accepting clients. Complete requests are still answered, within the backend's timeout and one more second.
   */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#gate?.stop();
    const registry = this.#registry;
    registry.stopAll();
    const deadline = setTimeout(() => this.#destroyAll(), registry.limits.backendTimeout + STOP_GRACE_MS);
    await registry.emptied();
    clearTimeout(deadline);
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** Replaces the limits. Open connections keep their maximum size of a request. */
  set limits(limits: L) {
    this.#registry.limits = limits;
    this.#registry.budget.limits = limits;
    this.#startTimer();
  }

  #welcome(socket: Socket): void {
    const registry = this.#registry;
    const clients = registry.size + (this.#gate?.size ?? 0);
    if (clients >= registry.limits.maxConnections && !this.#makeRoom()) {
      registry.rejected++;
      const remote = `${socket.remoteAddress}:${socket.remotePort}`;
      registry.refuseExcess(remote, `${registry.size} connections`);
      const { fullText } = this.#parts;
      if (fullText === "" || this.#gate !== null) socket.destroy();
      else socket.on("error", ignore).end(fullText, "latin1").destroySoon();
      return;
    }

    if (this.#gate === null) this.#connect(socket);
    else this.#gate.admit(socket, (secured) => this.#connect(secured));
  }

  /** Closes an unauthenticated connection. @returns whether there was one */
  #makeRoom(): boolean {
    // The connection to close is one of the larger group: connections in their handshake, or unauthenticated
    // connections after it. Honest clients stay in neither group for long.
    if ((this.#gate?.size ?? 0) > this.#registry.unauthenticated && this.#gate?.dropOldest()) return true;
    return this.#registry.dropSilent();
  }

  #connect(socket: Socket): void {
    this.#registry.add(this.#connectionOf(socket));
  }

  #destroyAll(): void {
    const { size: connections } = this.#registry;
    this.#parts.log.warn({ connections }, "closing connections that did not finish in time");
    this.#registry.destroyAll();
  }

  #startTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    const interval = Math.min(CHECK_MS_MAX, this.#registry.limits.idleTimeout / CHECKS_PER_IDLE_TIME);
    this.#timer = setInterval(() => this.#registry.checkTimes(), interval).unref();
  }
}

function listenError(
  reason: NodeJS.ErrnoException,
  { address, port }: ListenAddress,
  options: { readonly address: string; readonly port: string },
): Error {
  const target = `${address}, port ${port}`;
  switch (reason.code) {
    case "EADDRINUSE":
      return new StartError(
        `${target}: another program listens there. Stop it, or choose another port with ${options.port}.`,
        1,
      );
    case "EADDRNOTAVAIL":
      return new StartError(
        `${target}: this machine has no such address. Choose one of its addresses with ${options.address}.`,
        1,
      );
    case "EACCES":
      return new StartError(
        `${target}: not permitted. Ports below 1024 need privileges; choose another with ${options.port}.`,
        1,
      );
    default:
      return new StartError(`${target}: cannot listen there: ${reason.message}`, 1);
  }
}

function ignore(): void {}
