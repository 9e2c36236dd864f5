/**
 * Performs the TLS handshake before a connection, if there is a certificate. The number and the duration of handshakes
 * are limited, and silent or slow clients are closed to make room for newer ones.
 */
import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import type { ConnectionRefusal, RefusalLog } from "./connection-refusals.js";

/** The timeout of a handshake. It allows for two round trips, and for delays while many clients connect. */
const HANDSHAKE_MS = 10_000;
/** The maximum number of simultaneous handshakes. Each needs about 50 KiB; an honest one ends within milliseconds. */
const MAX_HANDSHAKES = 1024;
/**
 * The alert for a client without TLS: fatal, protocol_version. dbsync's client recognizes it. Source: RFC 8446, 6 and
 * 5.1.
 */
const ALERT = Buffer.from([0x15, 3, 3, 0, 2, 2, 70]);

/** The certificate that a gate presents to clients. It may be renewed while the gate is open. */
export interface ServedCertificate {
  readonly current: SecureContextOptions;
  /** Passes each renewed certificate to `taker`. */
  provideTo(taker: (certificate: SecureContextOptions) => void): void;
}

export class TlsGate {
  readonly #server: Server;
  readonly #refusals: RefusalLog;
  readonly #maxHandshakes: number;
  /** The handshakes in the order in which they began, by a key that both the socket and its encrypted side have. */
  readonly #handshakes = new Map<string, Handshake>();

  constructor(
    certificate: ServedCertificate,
    refusals: RefusalLog,
    { handshakeMs = HANDSHAKE_MS, maxHandshakes = MAX_HANDSHAKES } = {},
  ) {
    this.#refusals = refusals;
    this.#maxHandshakes = maxHandshakes;
    // This server does not listen on a port: `admit` passes sockets to it.
    this.#server = createServer({
      ...certificate.current,
      ...secureOptions,
      handshakeTimeout: handshakeMs,
    });

    certificate.provideTo((renewed) => this.#server.setSecureContext({ ...renewed, ...secureOptions }));
    this.#server.on("secureConnection", (secured) => this.#passed(secured));
    this.#server.on("tlsClientError", (error: NodeJS.ErrnoException, secured) =>
      this.#failed(error, secured),
    );
  }

  /** The number of handshakes in progress. */
  get size(): number {
    return this.#handshakes.size;
  }

  /** Begins a handshake. @param passed  called when the handshake has succeeded */
  admit(socket: Socket, passed: (secured: TLSSocket) => void): void {
    if (this.#handshakes.size >= this.#maxHandshakes) this.dropOldest();
    const handshake = { socket, passed, remote: nameOf(socket) };
    const key = keyOf(socket);
    this.#handshakes.set(key, handshake);

    // A client that ends its stream during the handshake has disconnected. Half-open connections are valid only after
    // the handshake.
    socket.allowHalfOpen = false;
    socket.on("error", ignore);
    socket.once("close", () => {
      if (this.#handshakes.get(key) === handshake) this.#end(key, handshake, LEFT);
    });
    this.#server.emit("connection", socket);
  }

  /** Closes the oldest handshake to make room. @returns whether there was one */
  dropOldest(): boolean {
    for (const [key, handshake] of this.#handshakes) {
      this.#end(key, handshake, "replaced by newer connections");
      return true;
    }
    return false;
  }

  stop(): void {
    for (const [key, { socket }] of this.#handshakes) {
      this.#handshakes.delete(key);
      socket.destroy();
    }
  }

  #passed(secured: TLSSocket): void {
    const key = keyOf(secured);
    const handshake = this.#handshakes.get(key);
    if (handshake === undefined) {
      secured.destroy();
      return;
    }
    this.#handshakes.delete(key);
    secured.allowHalfOpen = true;
    handshake.passed(secured);
  }

  #failed(error: NodeJS.ErrnoException, secured: TLSSocket): void {
    const key = keyOf(secured);
    const handshake = this.#handshakes.get(key);
    // After a disconnect the key cannot be computed. The `close` event of the client's socket then reports the end.
    if (handshake === undefined) return;
    const { code = error.message } = error;
    if (PLAIN.has(code)) handshake.socket.write(ALERT);
    this.#end(key, handshake, REASONS[code] ?? code, PLAIN.has(code) ? "not-tls" : "tls-handshake");
  }

  #end(
    key: string,
    { socket, remote }: Handshake,
    detail: string,
    code: ConnectionRefusal = "tls-handshake",
  ): void {
    this.#handshakes.delete(key);
    this.#refusals.note(code, { remote, detail });
    socket.destroy();
  }
}

interface Handshake {
  readonly socket: Socket;
  readonly remote: string;
  readonly passed: (secured: TLSSocket) => void;
}

const secureOptions = {
  minVersion: "TLSv1.2",
  // With renegotiation, a client could make the server repeat the expensive part of the handshake.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const;

const LEFT = "the client disconnected during the handshake; it may not trust the certificate";

/** OpenSSL's errors for a client that does not begin a handshake. */
const PLAIN = new Set([
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_HTTP_REQUEST",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
]);

const REASONS: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: "its first bytes do not begin a handshake",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "its first bytes do not begin a handshake",
  ERR_SSL_HTTP_REQUEST: "it speaks HTTP",
  ECONNRESET: LEFT,
  ERR_TLS_HANDSHAKE_TIMEOUT: "the client was too slow, or silent",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "the client does not support TLS 1.2 or later",
  ERR_SSL_NO_SHARED_CIPHER: "the client supports no cipher that is secure enough",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "the client does not trust the certificate",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "the client does not trust the certificate",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: "the client does not trust the certificate",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "the client considers the certificate expired",
};

function nameOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

function keyOf(socket: Socket): string {
  return `${nameOf(socket)} ${socket.localAddress}:${socket.localPort}`;
}

function ignore(): void {}
