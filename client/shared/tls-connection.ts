/**
 * Encrypted connections (`dbsyncs://`): the TLS handshake, the server's proof of its identity, and readable reasons for
 * failures. With a fingerprint, only the server's key counts, not the issuer, names or dates of its certificate (as in
 * RFC 7671, 5.1). Without one the certificate must be valid for the name in the list. Source:
 * docs/decisions/0005-clients-pin-the-daemons-key.md.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { fingerprint } from "../../keys/fingerprint.js";
import { badOption } from "./errors.js";
import type { TlsPeer } from "./server-list.js";

/** The oldest supported version. Earlier ones are insecure. */
const MIN_VERSION = "TLSv1.2";

/** The first bytes of the alert that a TLS server sends to a client without TLS. Source: RFC 8446, 5.1. */
const ALERT = 0x15;
const TLS_MAJOR_VERSION = 3;

/** The sessions of servers that have proved their identity. Resuming one avoids the expensive part of the handshake. */
const sessions = new WeakMap<TlsPeer, Buffer>();

/**
 * Begins to connect.
 * @param handlers.secured  called once, when the server has proved its identity
 * @param handlers.failed   called if it has not; the socket cannot be used
 */
export function connectTls(
  endpoint: { readonly host: string; readonly port: number; readonly tls: TlsPeer },
  handlers: { secured(socket: TLSSocket): void; failed(certificateProblem: string): void },
): TLSSocket {
  const { host, port, tls } = endpoint;
  const session = sessions.get(tls);
  // A session may be resumed only once (RFC 8446, C.4).
  sessions.delete(tls);

  const socket = connect({
    host,
    port,
    minVersion: MIN_VERSION,
    // `reasonNotToTrust` checks the certificate and gives a more detailed reason than the error's code.
    rejectUnauthorized: false,
    checkServerIdentity: otherNames,
    ...(tls.authorities === null ? {} : { ca: tls.authorities }),
    ...(session === undefined ? {} : { session }),
  });

  let isProven = false;
  let offered: Buffer | null = null;
  socket.on("session", (latest: Buffer) => {
    if (isProven) sessions.set(tls, latest);
    else offered = latest;
  });
  socket.on("secureConnect", () => {
    const certificateProblem = reasonNotToTrust(socket, tls);
    if (certificateProblem !== null) {
      handlers.failed(certificateProblem);
      return;
    }
    isProven = true;
    if (offered !== null) sessions.set(tls, offered);
    handlers.secured(socket);
  });

  return socket;
}

/** Checks the certificate's name like Node, but IPv6 addresses with OpenSSL, because Node 22.23 does not match them. */
function otherNames(host: string, certificate: PeerCertificate): Error | undefined {
  const problem = checkServerIdentity(host, certificate);
  if (problem === undefined || !isIPv6(host)) return problem;
  return new X509Certificate(certificate.raw).checkIP(host) === undefined ? problem : undefined;
}

/** Returns why the server's identity could not be verified, or null if it was verified. */
function reasonNotToTrust(socket: TLSSocket, { pins }: TlsPeer): string | null {
  // Only the holder of the key of an earlier, proven session can resume it.
  if (socket.isSessionReused()) return null;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return "it showed no certificate";
  const seen = fingerprint(certificate.publicKey);
  if (pins.length > 0) {
    if (pins.includes(seen)) return null;
    return `its key is sha256:${seen}, which is not the one in the list; an attacker may have intercepted the connection, or the key is new`;
  }
  if (socket.authorized) return null;
  return describeCertificateProblem(String(socket.authorizationError), certificate, seen);
}

/**
 * Describes a rejected certificate.
 * @param code  the error of OpenSSL or Node. Source: Node.js, "X509 certificate error codes"
 */
function describeCertificateProblem(code: string, certificate: X509Certificate, seen: string): string {
  switch (code) {
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `its certificate is for other names (${certificate.subjectAltName ?? "none"})`;
    case "CERT_HAS_EXPIRED":
      return `its certificate has expired (${certificate.validTo})`;
    case "CERT_NOT_YET_VALID":
      return `its certificate is not valid yet (${certificate.validFrom}); is this machine's clock right?`;
    default:
      return (
        `its certificate is not signed by a trusted authority (${code}); if you have verified that this is its key, ` +
        `pin it: #sha256:${seen}`
      );
  }
}

/**
 * Describes a failure between the connection and the end of the handshake.
 * @param error  the error, or null if the other side closed the connection normally
 * @param plain  the scheme for servers without TLS
 */
export function handshakeFailure(
  error: { readonly code?: string | undefined; readonly message: string } | null,
  plain = "dbsync://",
): string {
  const { code = "" } = error ?? {};
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG")
    return `it does not use TLS; connect to it with ${plain}`;
  if (error === null || code === "ECONNRESET" || code === "EPIPE")
    return `closed during the handshake; is TLS configured there (--tls-cert)? If not, connect to it with ${plain}`;
  return `the handshake failed (${code || error.message})`;
}

/**
 * The timeout for the server's part of the handshake. It is shorter than a call's timeout, so that the call can report
 * it.
 */
export const HANDSHAKE_MS = 2_500;

/** The message if the server exceeds this timeout. */
export const HANDSHAKE_TIMEOUT =
  "no answer during the handshake; is it a TLS port, or is the server overloaded?";

/** The message if the first bytes of a connection without TLS come from a TLS server. */
export const TLS_ONLY = "it accepts only TLS: write dbsyncs:// before its address in the list of servers";

/** Whether the first bytes of a connection without TLS are the alert of a TLS server. */
export function isTlsAlert(chunk: Buffer): boolean {
  return chunk[0] === ALERT && chunk[1] === TLS_MAJOR_VERSION;
}

/**
 * Reads the certificates of the option `ca`.
 * @param ca  a file's path, or PEM text
 * @throws DbsyncError `bad-option`
 */
export function readAuthorities(ca: string | Buffer, option: string): string {
  const source = ca.toString();
  const isText = source.includes("-----BEGIN");

  let text = source;
  try {
    if (!isText) text = readFileSync(source, "utf8");
  } catch (error) {
    throw badOption(
      option,
      source,
      `a readable file (${(error as NodeJS.ErrnoException).code}), or PEM text`,
      error,
    );
  }

  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    if (blocks.length === 0) throw new Error("no certificate");
    for (const block of blocks) new X509Certificate(block);
  } catch (error) {
    throw badOption(
      option,
      isText ? "PEM text without a complete certificate" : source,
      "certificates as PEM",
      error,
    );
  }
  return blocks.join("\n");
}
