/**
 * The options of the listeners for users, who have names and passwords instead of keys. A row with `clients` is a
 * listener.
 */

import {
  formatHost,
  formatHostAndPort,
  type HostAndPort,
  parseHostAndPort,
} from "../net/process/host-and-port.js";
import { NO_EVENTS, parseEventFlags } from "./event-flags.js";
import { row } from "./option-row.js";
import { parsePeer } from "./peer-address.js";
import { choice, list, path, text, toggle } from "./value-forms.js";

/** The port of the original JSON server. */
const JSON_PORT = "8888";

/** The port of the earlier SQL server. */
const SQL_PORT = "3948";

/** The port of MongoDB. */
const MONGO_PORT = "27017";

const listenAddress = text(parseHostAndPort, formatHostAndPort);

export const USER_LISTENERS = {
  /** The address for Redis clients, or null if there is none. */
  resp: {
    /** The name of the clients, for the log. */
    clients: "Redis",
    ...row({
      flags: "--resp <address>",
      help: "serve Redis clients on a port of 127.0.0.1 (such as 6379), or on address:port",
      form: listenAddress,
      fallback: null,
      face: "redis",
      reload: "restart",
      example: "6380",
    }),
  },
  /** The address for clients of JSON lines, or null if there is none. */
  json: {
    clients: "JSON",
    ...row({
      flags: "--json [address]",
      help: `serve JSON lines on a port of 127.0.0.1 (default: ${JSON_PORT}), or on address:port`,
      form: { ...listenAddress, prepare: (option) => listenAddress.prepare(option.preset(JSON_PORT)) },
      fallback: null,
      face: "json",
      reload: "restart",
      example: "8889",
    }),
  },
  memcached: {
    clients: "memcached",
    ...row({
      flags: "--memcached <address>",
      help: "serve memcached clients on a port of 127.0.0.1 (such as 11211), or on address:port",
      form: listenAddress,
      fallback: null,
      face: "memcached",
      reload: "restart",
      example: "11211",
    }),
  },
  sql: {
    clients: "SQL",
    ...row({
      flags: "--sql [address]",
      help: `serve the SQL line protocol on a port of 127.0.0.1 (default: ${SQL_PORT}), or on address:port`,
      form: { ...listenAddress, prepare: (option) => listenAddress.prepare(option.preset(SQL_PORT)) },
      fallback: null,
      face: "sql",
      reload: "restart",
      example: SQL_PORT,
    }),
  },
  mongo: {
    clients: "MongoDB",
    ...row({
      flags: "--mongo [address]",
      help: `serve MongoDB clients on a port of 127.0.0.1 (default: ${MONGO_PORT}), or on address:port`,
      form: { ...listenAddress, prepare: (option) => listenAddress.prepare(option.preset(MONGO_PORT)) },
      fallback: null,
      face: "mongo",
      reload: "restart",
      example: MONGO_PORT,
    }),
  },
  /** The language of --sql's messages, or null for the language of each statement. */
  sqlLanguage: row({
    flags: "--sql-language <language>",
    help: "language of --sql's confirmations: mg, Malagasy, or en, English (default: that of the statement)",
    form: choice(["mg", "en"]),
    fallback: null,
    face: "sql",
    reload: "restart",
    example: "en",
    needs: ["sql"],
  }),
  /** The original servers to which writes of JSON clients are sent. */
  jsonReplicas: row({
    flags: "--json-replica <host:port>",
    help: "a server of the original JSON database, to which writes of JSON clients are also sent (repeatable)",
    form: list<HostAndPort>({ parse: parseReplica, format: formatHost, check: checkReplicas }),
    fallback: [],
    face: "json",
    reload: "restart",
    example: "old1:8888",
    needs: ["json"],
  }),
  /** The file of the users of these listeners, or null for one user with all permissions. */
  aclFile: row({
    flags: "--acl-file <file>",
    help: "users of these listeners with passwords and rules, in the format of Redis's aclfile",
    form: path,
    fallback: null,
    face: "users",
    reload: "immediately",
    example: "users.acl",
    needs: ["resp"],
  }),
  /** Whether these listeners may be reachable from other machines although a user has no password. */
  allowAnonymous: row({
    flags: "--allow-anonymous",
    help: "listen on addresses that other machines can reach even if a user has no password",
    form: toggle,
    fallback: false,
    face: "users",
    reload: "restart",
    example: "true",
    needs: ["resp"],
  }),
  /** The Redis clients that may send DEBUG: none, clients of this machine, or all. */
  enableDebugCommand: row({
    flags: "--enable-debug-command <clients>",
    help: "which Redis clients may send DEBUG, as in Redis",
    form: choice(["no", "local", "yes"]),
    fallback: "no",
    face: "redis",
    reload: "restart",
    example: "local",
    needs: ["resp"],
  }),
  /** The events of keys that clients can subscribe to; CONFIG SET changes them. */
  notifyKeyspaceEvents: row({
    flags: "--notify-keyspace-events <letters>",
    help: "events of keys that Redis clients can subscribe to, as in Redis",
    form: text(parseEventFlags, (flags) => flags.text),
    fallback: NO_EVENTS,
    face: "redis",
    reload: "restart",
    example: "KEA",
    needs: ["resp"],
  }),
} as const;

/** Parses an address. @throws RangeError  the message says what is expected */
function parseReplica(text: string): HostAndPort {
  if (/^dbsyncs:|#/.test(text))
    throw new RangeError("Expected host:port; the original server has no encryption.");
  try {
    const { host, port } = parsePeer(text);
    return { host, port };
  } catch {
    throw new RangeError(`Expected host:port, such as db1:${JSON_PORT}.`);
  }
}

function checkReplicas(replicas: readonly HostAndPort[]): void {
  const addresses = replicas.map(({ host, port }) => `${host} ${port}`);
  if (new Set(addresses).size < addresses.length) throw new RangeError("A server is listed twice.");
}
