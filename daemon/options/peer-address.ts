/**
 * The value of --peer: the address of another daemon of the cluster, optionally with its pinned id. It begins with
 * `dbsyncs://` if that daemon listens with TLS.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import { isServiceHost, type ServiceAddress } from "../../protocol/members/service-address.js";
import { bytesOfHex, HASH_BYTES, hexOf } from "../../protocol/version-2/envelope.js";
import { formatHost } from "../net/process/host-and-port.js";

/** The listening address of a member. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
  /** The pinned id of the daemon, 32 bytes, or null if it is not pinned. */
  readonly pin: ByteString | null;
  /** Whether the member listens with TLS. */
  readonly tls: boolean;
}

const TLS = "dbsyncs://";
const PIN = "#ed25519:";
const PORT_MAX = 65535;

/** Parses the value. @throws RangeError  the message says what is expected */
export function parsePeer(text: string): PeerAddress {
  const tls = text.startsWith(TLS);
  const pinAt = text.indexOf("#");
  const address = text.slice(tls ? TLS.length : 0, pinAt < 0 ? text.length : pinAt);
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) < 1 || Number(port) > PORT_MAX) {
    throw new RangeError(
      `Expected host:port, or host:port${PIN} followed by the 64 digits that the daemon prints.`,
    );
  }
  return { host, port: Number(port), pin: pinAt < 0 ? null : parsePin(text.slice(pinAt)), tls };
}

/** Parses an address that clients use: `host:port`, without TLS and pin. @throws RangeError  says what is expected */
export function parseServiceAddress(text: string): ServiceAddress {
  try {
    const { host, port, pin, tls } = parsePeer(text);
    if (pin === null && !tls && isServiceHost(host)) return { host, port };
  } catch {}
  throw new RangeError("Expected host:port, such as redis1.example:6379 or [2001:db8::1]:6379.");
}

/** Formats the value; the inverse of `parsePeer`. */
export function formatPeer(peer: PeerAddress): string {
  const { pin, tls } = peer;
  const address = `${tls ? TLS : ""}${formatHost(peer)}`;
  return pin === null ? address : `${address}${pinText(pin)}`;
}

/** Returns the text after the port that pins a daemon. */
export const pinText = (id: ByteString): string => `${PIN}${hexOf(id)}`;

/** Parses a member's id: 64 hexadecimal digits, as in `dbsync status --json` and in the log. @throws RangeError */
export function parseMemberId(text: string): ByteString {
  const id = bytesOfHex(text, HASH_BYTES);
  if (id === undefined)
    throw new RangeError(
      "Expected a member's id: 64 hexadecimal digits, as dbsync status --json shows them.",
    );
  return id;
}

function parsePin(text: string): ByteString {
  const id = text.startsWith(PIN) ? bytesOfHex(text.slice(PIN.length), HASH_BYTES) : undefined;
  if (id === undefined) {
    throw new RangeError(
      `Expected ${PIN} and 64 hexadecimal digits after the port, as the daemon prints them.`,
    );
  }
  return id;
}
