/** The list of daemons a client talks to: `host:port,host:port`, where a host is a name, IPv4 or IPv6. */
import { isIPv6 } from "node:net";
import { badOption } from "./errors.js";

/** The original daemon's port. Source: test/vectors/php-dbsync/README.md. */
const DEFAULT_PORT = 1111;

/** One call goes to each; more than this is a mistake in a list rather than a cluster. */
const MAX_SERVERS = 64;

const FORMS =
  "host:port,host:port with host a name, IPv4 or IPv6 as [::1]:1111; the port may be left out (1111)";

/** One daemon. `text` is how it is named in outcomes and messages: `host:port`, `[ipv6]:port`. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly text: string;
}

/**
 * The addresses of a list, in its order, each once.
 * @param servers  `host:port,host:port`, or a list of such; blanks around commas do not matter
 * @param option   how messages name the place the list came from
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
      found.set(address.text, address);
    }
  }
  if (found.size === 0) throw badOption(option, servers, `at least one server, as ${FORMS}`);
  if (found.size > MAX_SERVERS)
    throw badOption(option, `a list of ${found.size}`, `at most ${MAX_SERVERS} servers`);
  return [...found.values()];
}

function parseAddress(text: string, option: string): Address {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return inspect(bracketed[1] ?? "", bracketed[2], true);
  if (isIPv6(text)) return inspect(text, undefined, true);
  const colon = text.indexOf(":");
  return colon < 0
    ? inspect(text, undefined, false)
    : inspect(text.slice(0, colon), text.slice(colon + 1), false);

  function inspect(host: string, portText: string | undefined, v6: boolean): Address {
    const name = host.toLowerCase();
    if (v6 ? !isIPv6(name) : !isHost(name)) throw badOption(option, text, FORMS);
    if (portText !== undefined && !/^\d{1,5}$/.test(portText)) throw badOption(option, text, FORMS);
    const port = portText === undefined ? DEFAULT_PORT : Number(portText);
    if (port < 1 || port > 65535) throw badOption(option, text, "a port from 1 to 65535");
    return { host: name, port, text: `${v6 ? `[${name}]` : name}:${port}` };
  }
}

/** A host name, or IPv4: all digits and dots is only an address if it is a whole and valid one. */
function isHost(name: string): boolean {
  if (/^[\d.]+$/.test(name)) {
    const parts = name.split(".");
    return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
  }
  return /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?$/.test(name);
}
