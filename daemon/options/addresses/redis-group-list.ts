/**
 * Several Redis servers as one database of -d: a cluster, of which some nodes are named, `redis-cluster:host:port,host:port`, or the
 * master that sentinels watch, `redis-sentinel:name@host:port,host:port`. With `//` behind the colon a user and a password may stand
 * before all that, and a number of a database behind it; `rediss-…` is TLS.
 */
import type { RedisAccess } from "./redis-access.js";

export interface RedisGroupSpecification extends RedisAccess {
  readonly kind: "redis-cluster" | "redis-sentinel";
  /** As the log shows it, without the password. */
  readonly name: string;
  /** Nodes of the cluster, or the sentinels. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** The master's name at the sentinels; of a cluster "". */
  readonly master: string;
}

type Kind = RedisGroupSpecification["kind"];

export const REDIS_GROUP = /^\s*rediss?-(cluster|sentinel):/;

const PARTS = /^redis(s?)-(cluster|sentinel):(?:\/\/(?:([^@:/,]*):([^@:/,]*)@)?(.*?)(?:\/(\d{0,4}))?|(.*?))$/;
const NODE = /^(?:\[([^\]]+)\]|([^:[\]/@]+)):(\d{1,5})$/;
const MAX_PORT = 65535;

const FORM: Readonly<Record<Kind, string>> = {
  "redis-cluster": "redis-cluster:host:port,host:port, or redis-cluster://user:password@host:port,host:port",
  "redis-sentinel":
    "redis-sentinel:name@host:port,host:port, or redis-sentinel://user:password@name@host:port,host:port/number",
};

/** @param text  what `REDIS_GROUP` is found in @throws RangeError  what is wrong, and what is expected */
export function parseRedisGroup(text: string): RedisGroupSpecification {
  const shown = text.trim().replace(/\/\/[^@,]*:[^@,]*@/, "//***@");
  const [, s, which, user = "", password = "", spelt, number = "", plain] = PARTS.exec(text.trim()) ?? [];
  const kind: Kind = which === "sentinel" ? "redis-sentinel" : "redis-cluster";
  const fail = (why: string): never => {
    throw new RangeError(`"${shown}": ${why}. Expected ${FORM[kind]}.`);
  };
  const [, master = "", list = ""] = /^(?:([^@]*)@)?(.*)$/.exec(spelt ?? plain ?? "") ?? [];
  if (kind === "redis-sentinel" && master === "") fail("the master's name is missing");
  if (kind === "redis-cluster" && master !== "") fail("a cluster has no name");
  const db = Number(number);
  if (kind === "redis-cluster" && db !== 0) fail("a Redis Cluster has database 0 only");
  const nodes = list.split(",").map((part) => {
    const [, six, four, port] = NODE.exec(part.trim()) ?? [];
    const host = six ?? four ?? fail(`"${part.trim()}" is not host:port`);
    if (Number(port) < 1 || Number(port) > MAX_PORT) fail(`a port is a number from 1 to ${MAX_PORT}`);
    return { host, port: Number(port) };
  });
  const places = nodes.map(({ host, port }) =>
    host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
  );
  const named = `${master === "" ? "" : `${master}@`}${places.join(",")}`;
  return {
    kind,
    name: db === 0 ? `redis${s}-${which}:${named}` : `redis${s}-${which}://${named}/${db}`,
    ...{ nodes, master, db, tls: s === "s" },
    username: user === "" ? null : decodeURIComponent(user),
    password: password === "" ? null : decodeURIComponent(password),
  };
}
