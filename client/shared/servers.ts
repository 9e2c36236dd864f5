/**
 * The list of a client's daemons: `host:port,host:port`, where a host is a name, IPv4 or IPv6. With TLS
 * `dbsyncs://host:port`, followed by the accepted fingerprints if the daemon's key is pinned. `dbsync1://`,
 * `dbsyncs1://`: version 1 alone for that daemon; with a 2: version 2 alone.
 */
import { isIPv6 } from "node:net";
import { badOption } from "./errors.js";
import { readVersions, type Versions } from "./versions.js";

/** The original daemon's port. Source: test/vectors/php-dbsync/README.md. */
const DEFAULT_PORT = 1111;

/** The maximum number of servers. One call goes to each; a longer list is rather a mistake than a cluster. */
const SERVERS_MAX = 64;

/** Several while a daemon changes its key. */
const PINS_MAX = 8;
const PIN_BYTES = 32;

const FORMS =
  "host:port,host:port with host a name, IPv4 or IPv6 as [::1]:1111; the port may be left out (1111); " +
  "with TLS dbsyncs://host:port, or dbsyncs://host:port#sha256:… with the fingerprint of that daemon's key; " +
  "dbsync1://host:port for a daemon that speaks version 1 only";

/** The required proof of one daemon's identity. TLS sessions are stored by this object. */
export interface TlsPeer {
  /**
   * Fingerprints of keys, 64 hexadecimal digits each; one of them has to be the daemon's. None: see
   * `authorities`.
   */
  readonly pins: readonly string[];
  /** PEM text of the certificates trusted to sign; null: those that Node.js trusts. */
  readonly authorities: string | null;
}

/** The address of a server. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** null: without encryption. */
  readonly tls: TlsPeer | null;
  readonly text?: string;
}

/** One daemon. */
export interface Address extends Endpoint {
  /** Its name in outcomes and messages: `host:port`, `[ipv6]:port`, `dbsyncs://host:port`, `dbsync1://host:port`. */
  readonly text: string;
  /** The protocol's versions that its entry names; null: none, so that the option `versions` holds. */
  readonly versions: Versions | null;
}

/**
 * Parses a list of servers. Returns the addresses in its order, each once.
 * @param servers  `host:port,host:port`, or a list of such; spaces around commas do not matter
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

/** The list parsed last: a program has one, and hands it in with every call. */
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
          `each server in one form only; several fingerprints as #sha256:…#sha256:…`,
        );
      }
      found.set(name, same ?? address);
    }
  }
  if (found.size === 0) throw badOption(option, servers, `at least one server, as ${FORMS}`);
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
  if (fragment !== "") throw badOption(option, entry, "a fingerprint with TLS only: dbsyncs:// in front");
  return { host, port, text: version === "" ? shown : `dbsync${version}://${shown}`, tls: null, versions };
}

/**
 * Reads the required proof of a server's identity, which follows its address.
 * @param fragment  `#sha256:…`, several times or not at all
 * @param entry     the whole entry, for messages
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

/** @returns 64 lowercase hexadecimal digits */
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
    const host = name.toLowerCase();
    if (v6 ? !isIPv6(host) : !isHost(host)) throw badOption(option, entry, FORMS);
    if (portText !== undefined && !/^\d{1,5}$/.test(portText)) throw badOption(option, entry, FORMS);
    const port = portText === undefined ? DEFAULT_PORT : Number(portText);
    if (port < 1 || port > 65535) throw badOption(option, entry, "a port from 1 to 65535");
    return { host, port, shown: `${v6 ? `[${host}]` : host}:${port}` };
  }
}

/** Whether a text is a host name, or IPv4: digits and dots alone must be a complete and valid address. */
function isHost(name: string): boolean {
  if (/^[\d.]+$/.test(name)) {
    const parts = name.split(".");
    return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
  }
  return /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?$/.test(name);
}

/** Whether authorities are needed to verify a server. */
export function needsAuthorities({ tls }: Endpoint): boolean {
  return tls !== null && tls.pins.length === 0;
}

/** The same servers, those with TLS trusting what `authorities` (PEM) has signed. */
export function withAuthorities<A extends Endpoint>(
  addresses: readonly A[],
  authorities: string,
): readonly A[] {
  return addresses.map((address) =>
    address.tls === null ? address : { ...address, tls: { ...address.tls, authorities } },
  );
}
