/**
 * Members' connections on real sockets. TLS certificates are not checked: the daemons' own keys authenticate them,
 * and their proofs cover a value that only the two ends of this TLS connection know.
 * Source: RFC 9266 (binding to a TLS 1.3 connection), RFC 8446, 7.5 (exporters).
 */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import type { PeerAddress } from "../../../options/peer-address.js";
import type { Connect, MemberSocket, MemberSocketHandlers } from "../shared/member-socket.js";

const BINDING_LABEL = "EXPORTER-dbsync-member";
const BINDING_BYTES = 32;
/** The lowest TLS version whose exporters are bound to a single connection. */
const TLS_VERSION = "TLSv1.3";
/** Milliseconds that the other side has to read the last message. */
const LINGER_MS = 2_000;
/** The first byte of a TLS server's reply to a client without TLS. Source: RFC 8446, 5.1. */
const ALERT = 0x15;
const TLS_ONLY = "it accepts TLS only: write dbsyncs:// before it in --peer";
const NOT_TLS =
  "it closed the connection in the TLS handshake: if it listens without TLS, remove the dbsyncs:// before it in --peer";
const CLOSED = "closed by the other side";

export interface TransportLog {
  debug(facts: object, text: string): void;
}

/** Returns the function that opens connections to members. */
export function openTransport(log: TransportLog): Connect {
  return (address, handlers) => {
    const socket = address.tls ? openTls(address) : connectTcp({ host: address.host, port: address.port });
    const member = new RealSocket(socket, `${address.host}:${address.port}`, log);
    member.handlers = handlers;
    socket.once(address.tls ? "secureConnect" : "connect", () => member.opened());
    return member;
  };
}

/**
 * Wraps an incoming connection whose first frame has been received.
 * @param accept  receives the connection, and returns the receiver of all further events
 */
export function adoptSocket(
  socket: Socket,
  log: TransportLog,
  accept: (socket: MemberSocket) => MemberSocketHandlers,
): void {
  const member = new RealSocket(socket, `${socket.remoteAddress}:${socket.remotePort}`, log);
  member.bind();
  member.handlers = accept(member);
  socket.resume();
}

function openTls({ host, port }: PeerAddress): TLSSocket {
  return connectTls({ host, port, minVersion: TLS_VERSION, rejectUnauthorized: false });
}

class RealSocket implements MemberSocket {
  readonly remote: string;
  binding: Buffer | null = null;
  /** The receiver of events, or null before it is set and after the connection has ended. */
  handlers: MemberSocketHandlers | null = null;
  readonly #socket: Socket;
  readonly #log: TransportLog;
  #isFirst = true;
  /** Whether this side opened the connection with TLS, and the TLS handshake is not complete. */
  #isShakingHands: boolean;

  constructor(socket: Socket, remote: string, log: TransportLog) {
    this.#socket = socket;
    this.remote = remote;
    this.#log = log;
    this.#isShakingHands = socket instanceof TLSSocket && socket.connecting;
    socket.setNoDelay(true);
    socket.setTimeout(0);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("end", this.#onEnd);
    socket.on("error", (error: NodeJS.ErrnoException) => this.#fail(error));
    socket.on("close", this.#onEnd);
  }

  opened(): void {
    this.#isShakingHands = false;
    this.bind();
    this.handlers?.opened();
  }

  /** Exports the keying material that only the two ends know. */
  bind(): void {
    const socket = this.#socket;
    if (!(socket instanceof TLSSocket)) return;
    this.binding = socket.exportKeyingMaterial(BINDING_BYTES, BINDING_LABEL, Buffer.alloc(0));
  }

  write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  unsentBytes(): number {
    return this.#socket.writableLength;
  }

  close(): void {
    this.handlers = null;
    const socket = this.#socket;
    socket.destroySoon();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  #receive(chunk: Buffer): void {
    if (this.#isFirst && chunk[0] === ALERT && !(this.#socket instanceof TLSSocket)) this.#end(TLS_ONLY);
    this.#isFirst = false;
    this.handlers?.received(chunk);
  }

  #fail(error: NodeJS.ErrnoException): void {
    const { code = error.message } = error;
    this.#log.debug({ remote: this.remote, reason: error.message }, "a member's connection failed");
    const isPlain = PLAIN.has(code) || (code === "ECONNRESET" && this.#isShakingHands);
    this.#end(isPlain ? NOT_TLS : code);
  }

  readonly #onEnd = (): void => this.#end(this.#isShakingHands ? NOT_TLS : CLOSED);

  #end(detail: string): void {
    const { handlers } = this;
    this.handlers = null;
    this.#socket.destroy();
    handlers?.closed(detail);
  }
}

/** OpenSSL's errors if a server does not answer a TLS handshake with TLS. */
const PLAIN: ReadonlySet<string> = new Set([
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
]);
