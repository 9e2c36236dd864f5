/**
 * Parses the value of -d: databases separated by commas. A database is `memory`, `redis:host:port` as in php-dbsync, or
 * a URL with a password, a number or TLS. Alternatively the value names the daemons of a cluster,
 * `dbsync:host:port,host:port`, to which commands are signed and forwarded.
 */

import {
  decoded,
  parseRedisGroup,
  REDIS_GROUP,
  type RedisAccess,
  type RedisGroupSpecification,
} from "./addresses/redis-addresses.js";

export type BackendSpecification =
  | MemorySpecification
  | RedisSpecification
  | RedisGroupSpecification
  | SidecarSpecification;

export interface SidecarSpecification {
  readonly kind: "dbsync";
  /** The address in -d. */
  readonly name: string;
  /** The addresses in the form of a client's list of servers. */
  readonly servers: string;
}

export interface MemorySpecification {
  readonly kind: "memory";
  readonly name: "memory";
}

export interface RedisSpecification extends RedisAccess {
  readonly kind: "redis";
  /** The address in the log, without the password. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** Whether a kind of database consists of Redis servers. */
export const isRedis = (kind: BackendSpecification["kind"]): boolean => kind.startsWith("redis");

/** Matches `dbsync:host:port`, or addresses with schemes such as `dbsyncs://host:port`. */
const SIDECAR = /^\s*dbsync(s?:\/\/|:)/;
const DEFAULT_PORT = 6379;
const MAX_PORT = 65535;
const FORMS =
  "memory, redis:host:port, redis://user:password@host:port/number, rediss://…, redis-cluster:host:port,host:port, " +
  "redis-sentinel:name@host:port,host:port, dbsync:host:port,host:port";

/**
 * Returns the databases that `text` names, in order.
 * @throws RangeError  the message says which database is wrong, why, and what is expected
 */
export function parseSpecifications(text: string): BackendSpecification[] {
  if (SIDECAR.test(text)) return [parseSidecar(text)];
  if (REDIS_GROUP.test(text)) return [parseRedisGroup(text)];
  const specifications = text.split(",").map((part) => parseSpecification(part.trim()));
  const names = specifications.map((specification) => specification.name);
  const duplicate = names.find((name, index) => names.indexOf(name) !== index);
  if (duplicate !== undefined)
    throw new RangeError(`"${duplicate}" is listed twice; list each database only once.`);
  return specifications;
}

/** Parses the address of a sidecar. The client, which parses the servers, reports further errors. */
function parseSidecar(text: string): SidecarSpecification {
  const entries = text.split(",").map((part) => part.trim().replace(/^dbsync:(?!\/\/)/, ""));
  const database = entries.find((entry) => /^(memory$|rediss?:)/.test(entry));
  if (database !== undefined)
    throw new RangeError(
      `"${database}": a list that begins with dbsync: contains only daemons. Leave out the other databases.`,
    );
  if (entries.includes("")) throw new RangeError("A daemon is missing. Expected dbsync:host:port,host:port.");
  const servers = entries.join(",");
  return { kind: "dbsync", name: `dbsync:${servers}`, servers };
}

function parseSpecification(text: string): BackendSpecification {
  if (text === "memory") return { kind: "memory", name: "memory" };
  if (/^rediss?:\/\//.test(text)) return parseRedisUrl(text);

  const match = /^redis:(?:\[([^\]]+)\]|([^:[\]/@]+)):(\d{1,5})$/.exec(text);
  if (match !== null) {
    const host = (match[1] ?? match[2]) as string;
    return redis({
      host,
      port: parsePort(match[3] as string, text),
      db: 0,
      username: null,
      password: null,
      tls: false,
    });
  }

  const type = /^[^:]*/.exec(text)?.[0] ?? "";
  if (text === "") throw new RangeError(`A database is missing. Expected ${FORMS}.`);
  if (type !== "redis")
    throw new RangeError(`"${text}": unknown database type "${type}". Expected ${FORMS}.`);
  throw new RangeError(`"${text}" is not redis:host:port, such as redis:127.0.0.1:6379 or redis:[::1]:6379.`);
}

function parseRedisUrl(text: string): RedisSpecification {
  const shown = text.replace(/\/\/[^@]*@/, "//***@");
  if (!URL.canParse(text))
    throw new RangeError(`"${shown}" is not a URL such as redis://user:password@host:6379/0.`);

  const url = new URL(text);
  const path = /^\/?(\d{0,4})$/.exec(url.pathname);
  if (url.hostname === "" || path === null || url.search !== "" || url.hash !== "") {
    throw new RangeError(`"${shown}" is not redis://user:password@host:port/number.`);
  }

  return redis({
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? DEFAULT_PORT : parsePort(url.port, shown),
    db: Number(path[1]),
    username: decoded(url.username, shown),
    password: decoded(url.password, shown),
    tls: url.protocol === "rediss:",
  });
}

function redis(parts: Omit<RedisSpecification, "kind" | "name">): RedisSpecification {
  const host = parts.host.includes(":") ? `[${parts.host}]` : parts.host;
  const db = parts.db === 0 ? "" : `/${parts.db}`;
  const scheme = parts.tls ? "rediss://" : db === "" ? "redis:" : "redis://";
  return { kind: "redis", name: `${scheme}${host}:${parts.port}${db}`, ...parts };
}

function parsePort(text: string, shown: string): number {
  const port = Number(text);
  if (port < 1 || port > MAX_PORT)
    throw new RangeError(`"${shown}": a port is a number from 1 to ${MAX_PORT}.`);
  return port;
}
