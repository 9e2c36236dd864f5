/** The options of the listeners for users, which have names and passwords instead of keys. A row with `clients` is a listener. */

import { formatPlace, parsePlace, placeName, type ReplicaPlace } from "../net/process/place.js";
import { NO_EVENTS, parseEventFlags } from "./event-flags.js";
import { choice, list, path, text, toggle } from "./forms.js";
import { row } from "./option-row.js";
import { parsePeer } from "./peer-address.js";

/** The original server's. */
const JSON_PORT = "8888";

/** Port as above. */
const SQL_PORT = "3948";

/** MongoDB's. */
const MONGO_PORT = "27017";

const place = text(parsePlace, formatPlace);

export const USER_LISTENERS = {
  /** The address for Redis clients; null: none. */
  resp: {
    /** The name of its clients, for the log. */
    clients: "Redis",
    ...row({
      flags: "--resp <place>",
      help: "serve Redis clients on a port of 127.0.0.1 (6379, say), or on address:port",
      form: place,
      fallback: null,
      reload: "restart",
      example: "6380",
    }),
  },
  /** The address for clients of JSON lines; null: none. */
  json: {
    clients: "JSON",
    ...row({
      flags: "--json [place]",
      help: `serve JSON lines on a port of 127.0.0.1 (${JSON_PORT} unless given), or on address:port`,
      form: { ...place, prepare: (option) => place.prepare(option.preset(JSON_PORT)) },
      fallback: null,
      reload: "restart",
      example: "8889",
    }),
  },
  memcached: {
    clients: "memcached",
    ...row({
      flags: "--memcached <place>",
      help: "serve memcached clients on a port of 127.0.0.1 (11211, say), or on address:port",
      form: place,
      fallback: null,
      reload: "restart",
      example: "11211",
    }),
  },
  sql: {
    clients: "SQL",
    ...row({
      flags: "--sql [place]",
      help: `serve the SQL line protocol on a port of 127.0.0.1 (${SQL_PORT} unless given), or on address:port`,
      form: { ...place, prepare: (option) => place.prepare(option.preset(SQL_PORT)) },
      fallback: null,
      reload: "restart",
      example: SQL_PORT,
    }),
  },
  mongo: {
    clients: "MongoDB",
    ...row({
      flags: "--mongo [place]",
      help: `serve MongoDB clients on a port of 127.0.0.1 (${MONGO_PORT} unless given), or on address:port`,
      form: { ...place, prepare: (option) => place.prepare(option.preset(MONGO_PORT)) },
      fallback: null,
      reload: "restart",
      example: MONGO_PORT,
    }),
  },
  /** The language of --sql's messages. */
  sqlLanguage: row({
    flags: "--sql-language <language>",
    help: "in which language --sql says what was done: Malagasy as the original, or English",
    form: choice(["mg", "en"]),
    fallback: "mg",
    reload: "restart",
    example: "en",
    needs: ["sql"],
  }),
  /** Original servers that are sent what JSON clients write. */
  jsonReplicas: row({
    flags: "--json-replica <host:port>",
    help: "an original server that is sent what JSON clients write (repeatable)",
    form: list<ReplicaPlace>({ parse: parseReplica, format: placeName, check: checkReplicas }),
    fallback: [],
    reload: "restart",
    example: "old1:8888",
    needs: ["json"],
  }),
  /** Users of the listeners without signatures; null: one that may do everything. */
  aclFile: row({
    flags: "--acl-file <file>",
    help: "their users, passwords and rules, in the format of Redis's aclfile",
    form: path,
    fallback: null,
    reload: "at once",
    example: "users.acl",
    needs: ["resp"],
  }),
  /** Whether listeners for users may be in reach of other machines although a user needs no password. */
  allowAnonymous: row({
    flags: "--allow-anonymous",
    help: "although some user needs no password, listen for users on addresses that other machines can reach",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
    needs: ["resp"],
  }),
  /** The clients that may send DEBUG to the listener for Redis clients: none, those of this machine, or all; Redis's words. */
  enableDebugCommand: row({
    flags: "--enable-debug-command <who>",
    help: "which Redis clients may send DEBUG, as in Redis",
    form: choice(["no", "local", "yes"]),
    fallback: "no",
    reload: "restart",
    example: "local",
    needs: ["resp"],
  }),
  /** The events of keys that subscribers receive immediately; CONFIG SET changes it. */
  notifyKeyspaceEvents: row({
    flags: "--notify-keyspace-events <letters>",
    help: "events of keys that Redis clients can subscribe to, as in Redis",
    form: text(parseEventFlags, (flags) => flags.text),
    fallback: NO_EVENTS,
    reload: "restart",
    example: "KEA",
    needs: ["resp"],
  }),
} as const;

/** @throws RangeError  a sentence: what is expected */
function parseReplica(given: string): ReplicaPlace {
  if (/^dbsyncs:|#/.test(given))
    throw new RangeError("Expected host:port: the original knows no encryption.");
  try {
    const { host, port } = parsePeer(given);
    return { host, port };
  } catch {
    throw new RangeError(`Expected host:port, such as db1:${JSON_PORT}.`);
  }
}

function checkReplicas(replicas: readonly ReplicaPlace[]): void {
  const places = replicas.map(({ host, port }) => `${host} ${port}`);
  if (new Set(places).size < places.length) throw new RangeError("A server is named twice.");
}
