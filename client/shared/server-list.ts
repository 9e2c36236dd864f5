/**
 * Parses the list of a client's daemons: `host:port,host:port`, where a host is a name, IPv4 or IPv6. With TLS an entry
 * is `dbsyncs://host:port`, followed by the accepted fingerprints if the daemon's key is pinned. `dbsync1://` and
 * `dbsyncs1://` select only version 1 for that daemon; with a 2 they select only version 2.
 */
import { isIPv6 } from "node:net";
import { badOption } from "./errors.js";

/** The original daemon's port. Source: test/vectors/php-dbsync/README.md. */
const DEFAULT_PORT = 1111;

/** The maximum number of servers. Each call is sent to all of them, and a longer list is probably a mistake. */
const SERVERS_MAX = 64;

/** The maximum number of fingerprints per daemon. There are several while a daemon changes its key. */
const PINS_MAX = 8;
const PIN_BYTES = 32;

const FORMS =
  "host:port,host:port with host a name, IPv4 or IPv6 as [::1]:1111; the port may be left out (1111); " +
  "with TLS dbsyncs://host:port, or dbsyncs://host:port#sha256:… with the fingerprint of that daemon's key; " +
  "dbsync1://host:port for a daemon that speaks only version 1";

/** The required proof of one daemon's identity. The object is also the cache key of TLS sessions. */
export interface TlsPeer {
  /**
   * Fingerprints of keys, 64 hexadecimal digits each. One of them must be that of the daemon's key. If there are none,
   * `authorities` applies.
   */
  readonly pins: readonly string[];
  /** The trusted authorities' certificates as PEM text, or null to trust the authorities that Node.js trusts. */
  readonly authorities: string | null;
}

/** The address of a server. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** The required proof of identity, or null if the connection is not encrypted. */
  readonly tls: TlsPeer | null;
  readonly text?: string;
}

/** The address of a daemon. */
export interface Address extends Endpoint {
  /**
   * The daemon's name in outcomes and messages: `host:port`, `[ipv6]:port`, `dbsyncs://host:port`,
   * `dbsync1://host:port`.
   */
  readonly text: string;
  /**
   * The protocol versions that the entry for this daemon names. If the entry names none, null: the option `versions`
   * applies.
   */
  readonly versions: Versions | null;
}

/**
 * Parses a list of servers. Returns the addresses in the same order, without duplicates.
 * @param servers  `host:port,host:port`, or a list of such texts; spaces around commas are ignored
 * @param option   name of the list's source, for messages
 * @throws DbsyncError `bad-option`
 */
export function parseServers(servers: unknown, option = "servers"): readonly Address[] {
  const text = isTextList(servers) ? servers.join() : servers;
  if (last !== null && text === last.text) return last.addresses;
  const addresses = parseList(servers, option);
  if (typeof text === "string") last = { text, addresses };
  return addresses;
}

/** A cache of the last parsed list, because most programs pass the same list with every call. */
let last: { readonly text: string; readonly addresses: readonly Address[] } | null = null;

function isTextList(servers: unknown): servers is readonly string[] {
  return Array.isArray(servers) && servers.every((server) => typeof server === "string");
}

function parseList(servers: unknown, option: string): readonly Address[] {
  const list: readonly unknown[] = Array.isArray(servers) ? servers : [servers];
  const found = new Map<string, Address>();

  for (const entry of list) {
    if (typeof entry !== "string") throw badOption(option, servers, FORMS);
    for (const part of entry.split(",")) {
      const text = part.trim();
      if (text === "") continue;
      const address = parseAddress(text, option);
      const name = `${address.host}:${address.port}`;
      const same = found.get(name);
      if (same !== undefined && !isEqual(same, address)) {
        throw badOption(
          option,
          text,
          `each server in only one form; several fingerprints as #sha256:…#sha256:…`,
        );
      }
      found.set(name, same ?? address);
    }
  }

  if (found.size === 0) throw badOption(option, servers, `at least one server: ${FORMS}`);
  if (found.size > SERVERS_MAX)
    throw badOption(option, `a list of ${found.size}`, `at most ${SERVERS_MAX} servers`);
  return [...found.values()];
}

function isEqual(one: Address, other: Address): boolean {
  return one.tls?.pins.join() === other.tls?.pins.join() && one.versions === other.versions;
}

function parseAddress(entry: string, option: string): Address {
  const [, s = "", version = "", text = "", fragment = ""] =
    /^(?:dbsync(s?)([12]?):\/\/)?([^#]*)(.*)$/is.exec(entry) ?? [];
  const { host, port, shown } = parseEndpoint(text, entry, option);
  const versions = readVersions(version);
  if (s !== "") {
    const tls = parsePins(fragment, entry, option);
    return { host, port, text: `dbsyncs${version}://${shown}`, tls, versions };
  }
  if (fragment !== "") throw badOption(option, entry, "a fingerprint only with TLS: dbsyncs:// in front");
  return { host, port, text: version === "" ? shown : `dbsync${version}://${shown}`, tls: null, versions };
}

/**
 * Parses the required proof of a server's identity, which follows its address.
 * @param fragment  `#sha256:…`, any number of times
 * @param entry     the complete entry, for messages
 * @throws DbsyncError `bad-option`
 */
export function parsePins(fragment: string, entry: string, option: string): TlsPeer {
  const pins = fragment
    .split("#")
    .slice(1)
    .map((pin) => parsePin(pin, entry, option));
  if (pins.length > PINS_MAX) throw badOption(option, entry, `at most ${PINS_MAX} fingerprints`);
  return { pins, authorities: null };
}

/** Parses a fingerprint. @returns 64 lowercase hexadecimal digits */
function parsePin(pin: string, entry: string, option: string): string {
  const [, digits = ""] = /^sha256:(.*)$/i.exec(pin) ?? [];
  if (/^[\da-f]{64}$/i.test(digits)) return digits.toLowerCase();
  const isBase64 = /^([A-Za-z\d+/]{43}=?|[A-Za-z\d_-]{43}=?)$/.test(digits);
  if (!isBase64) throw badOption(option, entry, "#sha256: and 64 hexadecimal digits, or base64");
  return Buffer.from(digits, "base64").subarray(0, PIN_BYTES).toString("hex");
}

function parseEndpoint(
  text: string,
  entry: string,
  option: string,
): { host: string; port: number; shown: string } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return inspect(bracketed[1] ?? "", bracketed[2], true);
  if (isIPv6(text)) return inspect(text, undefined, true);
  const colon = text.indexOf(":");
  return colon < 0
    ? inspect(text, undefined, false)
    : inspect(text.slice(0, colon), text.slice(colon + 1), false);

  function inspect(name: string, portText: string | undefined, v6: boolean) {
    const lower = name.toLowerCase();
    if (v6 ? !isIPv6(lower) : !isHost(lower)) throw badOption(option, entry, FORMS);
    const host = v6 ? shortIPv6(lower) : lower;
    if (portText !== undefined && !/^\d{1,5}$/.test(portText)) throw badOption(option, entry, FORMS);
    const port = portText === undefined ? DEFAULT_PORT : Number(portText);
    if (port < 1 || port > 65535) throw badOption(option, entry, "a port from 1 to 65535");
    return { host, port, shown: `${v6 ? `[${host}]` : host}:${port}` };
  }
}

/**
 * Returns the shortest form of an IPv6 address, so that one server in two forms does not count as two for a policy. An
 * address with a zone stays as it is.
 */
const shortIPv6 = (address: string): string =>
  address.includes("%") ? address : new URL(`http://[${address}]`).hostname.slice(1, -1);

/** Whether a text is a host name or an IPv4 address. A text of digits and dots must be a valid address. */
function isHost(name: string): boolean {
  if (/^[\d.]+$/.test(name)) {
    const parts = name.split(".");
    return (
      parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
    );
  }
  return /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?$/.test(name);
}

/** Whether verifying a server requires authorities. */
export function needsAuthorities({ tls }: Endpoint): boolean {
  return tls !== null && tls.pins.length === 0;
}

/** Returns the servers; for those with TLS, `authorities` (PEM) may sign the certificates. */
export function withAuthorities<A extends Endpoint>(
  addresses: readonly A[],
  authorities: string,
): readonly A[] {
  return addresses.map((address) =>
    address.tls === null ? address : { ...address, tls: { ...address.tls, authorities } },
  );
}

/**
 * The allowed versions:
 * - `2`: only version 2, as without the option; in addition, the client assumes that all daemons speak version 2, so
 *   the first command does not have to wait for the answer to the hello
 * - `1`: only version 1, without a hello
 * - `1,2`: each daemon receives a hello, and a daemon that then closes the connection receives version 1
 */
export type Versions = "1" | "2" | "1,2";

/**
 * The protocol versions that a signed call may use, as text. Any third party that has seen a version 1 call can replay
 * it at any time, so only the user can allow version 1; a daemon's behaviour is never sufficient. Source:
 * docs/protocol-v2.md "hello".
 */
export const VERSIONS_ALLOWED =
  "2 (only version 2), 1 (only version 1), or 1,2 (version 2, and version 1 for daemons that support no other)";

const VERSION_FORMS: ReadonlyMap<string, Versions> = new Map<string, Versions>(
  Object.entries({ "1": "1", "2": "2", "1,2": "1,2", "2,1": "1,2" }),
);

/** Parses the value of an option, a variable or dbsync.ini, and ignores spaces. Returns null if it is invalid. */
export function readVersions(value: unknown): Versions | null {
  return typeof value === "string" ? (VERSION_FORMS.get(value.replaceAll(" ", "")) ?? null) : null;
}
