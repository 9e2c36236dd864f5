/** A connection as the CLIENT commands see it. */

import type { ChannelKind } from "../../../engine/channels/channels.js";
import type { ClientSocket } from "../../../net/connections/client-socket.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Client, Heard } from "./clients.js";
import type { RespSession, SessionHost } from "./session.js";
import type { Tracker } from "./tracker.js";

/** What is asked of the connection itself. */
export interface ConnectionFace {
  readonly id: number;
  readonly socket: Pick<
    ClientSocket,
    "remoteAddress" | "remotePort" | "localAddress" | "localPort" | "writableLength"
  >;
  /** `uptime` milliseconds. */
  readonly activeAt: () => number;
  /** Bytes of requests that have not been served. */
  readonly requestBytes: () => number;
  /** Sends what answers no command. */
  readonly push: (bytes: ByteString) => void;
  readonly kill: () => void;
}

export class ConnectedClient implements Client {
  readonly id: number;
  readonly remote: string;
  readonly local: string;
  readonly connectedAt: number;
  readonly push: (bytes: ByteString) => void;
  readonly kill: () => void;
  readonly session: RespSession;
  readonly #connection: ConnectionFace;

  /** @param makeSession  is handed the client that it belongs to */
  constructor(connection: ConnectionFace, makeSession: (client: Client) => RespSession) {
    const { socket } = connection;
    this.#connection = connection;
    this.id = connection.id;
    this.remote = `${socket.remoteAddress}:${socket.remotePort}`;
    this.local = `${socket.localAddress}:${socket.localPort}`;
    this.connectedAt = connection.activeAt();
    this.push = connection.push;
    this.kill = connection.kill;
    this.session = makeSession(this);
    this.#host.state.clients.add(this);
  }

  get #host(): SessionHost {
    return this.session.host;
  }

  get name(): ByteString {
    return this.session.name;
  }

  get library(): ByteString {
    return this.session.library;
  }

  get libraryVersion(): ByteString {
    return this.session.libraryVersion;
  }

  get userName(): ByteString | null {
    return this.session.as;
  }

  get db(): number {
    return this.session.db;
  }

  get protocol(): 2 | 3 {
    return this.session.protocol;
  }

  get queuedCount(): number {
    return this.session.queued?.length ?? -1;
  }

  get isWaiting(): boolean {
    return this.session.waiting !== null;
  }

  get isMonitor(): boolean {
    return this.#host.state.monitors.has(this);
  }

  get activeAt(): number {
    return this.#connection.activeAt();
  }

  get requestBytes(): number {
    return this.#connection.requestBytes();
  }

  get answerBytes(): number {
    return this.#connection.socket.writableLength;
  }

  get lastCommand(): string | null {
    return this.session.last?.command.name.toLowerCase() ?? null;
  }

  get heard(): Heard {
    const { subscriptions } = this.session;
    const size = (kind: ChannelKind) => subscriptions?.size(kind) ?? 0;
    return { channels: size("channel"), patterns: size("pattern"), shards: size("shard") };
  }

  get tracker(): Tracker | null {
    return this.#host.tracking.of(this) ?? null;
  }

  endAfterAnswer(): void {
    this.session.isClosing = true;
  }

  unblock(how: "timeout" | "error"): boolean {
    return this.session.waiting?.(how) ?? false;
  }

  /** The connection is no more. */
  gone(): void {
    this.session.leave();
    this.session.leaveTransaction();
    this.session.subscriptions?.clear();
    this.#host.state.clients.remove(this);
    this.#host.state.monitors.delete(this);
    this.#host.tracking.gone(this);
  }
}
