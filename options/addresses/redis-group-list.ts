/**
 * Several Redis servers as one database of -d: a cluster, of which some nodes are named, `redis-cluster:host:port,host:port`, or the master
 * that sentinels watch, `redis-sentinel:name@host:port,host:port`. With `//` after the colon a user and a password may precede all that,
 * and the number of a database may follow; `rediss-…` is TLS. If the sentinels have a login of their own, or TLS differs, that follows a
 * question mark: `?sentinel-user=…&sentinel-password=…&sentinel-tls=no`.
 */
import { decoded, type RedisAccess } from "./redis-access.js";

export interface RedisGroupSpecification extends RedisAccess {
  readonly kind: "redis-cluster" | "redis-sentinel";
  /** The address in the log, without the password. */
  readonly name: string;
  /** Nodes of the cluster, or the sentinels. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** The master's name at the sentinels; of a cluster "". */
  readonly master: string;
  /** Access to the sentinels; without a password of their own they are asked without one, then with that of the servers. */
  readonly sentinel: Omit<RedisAccess, "db">;
}

type Kind = RedisGroupSpecification["kind"];

export const REDIS_GROUP = /^\s*rediss?-(cluster|sentinel):/;

const PARTS = /^redis(s?)-(cluster|sentinel):(?:\/\/(?:([^@:/,]*):([^@:/,]*)@)?(.*?)(?:\/(\d{0,4}))?|(.*?))$/;
const NODE = /^(?:\[([^\]]+)\]|([^:[\]/@]+)):(\d{1,5})$/;
const MAX_PORT = 65535;
/** The query at the end. A `?` that an `@` follows is part of a password that is not encoded. */
const QUERY = /\?([^@]*)$/;
const SENTINEL_NAMES = ["sentinel-user", "sentinel-password", "sentinel-tls"];

const FORM: Readonly<Record<Kind, string>> = {
  "redis-cluster": "redis-cluster:host:port,host:port, or redis-cluster://user:password@host:port,host:port",
  "redis-sentinel":
    "redis-sentinel:name@host:port,host:port, or redis-sentinel://user:password@name@host:port,host:port/number, or with " +
    "?sentinel-user=…&sentinel-password=…&sentinel-tls=yes|no after it",
};

/** @param text  what `REDIS_GROUP` is found in @throws RangeError  what is wrong, and what is expected */
export function parseRedisGroup(text: string): RedisGroupSpecification {
  const spelt = text.trim();
  const [queried = "", query = ""] = QUERY.exec(spelt) ?? [];
  const shown = spelt.replace(/\/\/[^@,]*:[^@,]*@/, "//***@").replace(/(sentinel-password=).*/s, "$1***");
  const [, s, which, user = "", password = "", rest, number = "", plain] =
    PARTS.exec(spelt.slice(0, spelt.length - queried.length)) ?? [];
  const kind: Kind = which === "sentinel" ? "redis-sentinel" : "redis-cluster";
  const fail = (why: string): never => {
    throw new RangeError(`"${shown}": ${why}. Expected ${FORM[kind]}.`);
  };
  const [, master = "", list = ""] = /^(?:([^@]*)@)?(.*)$/.exec(rest ?? plain ?? "") ?? [];
  if (kind === "redis-sentinel" && master === "") fail("the master's name is missing");
  if (kind === "redis-cluster" && master !== "") fail("a cluster has no name");
  if (kind === "redis-cluster" && queried !== "") fail("a cluster has no settings after a question mark");
  const db = Number(number);
  if (kind === "redis-cluster" && db !== 0) fail("a Redis Cluster has database 0 only");
  const nodes = list.split(",").map((part) => nodeIn(part.trim(), fail));
  const named = `${master === "" ? "" : `${master}@`}${nodes.map(placeText).join(",")}`;
  const tls = s === "s";
  return {
    kind,
    name: db === 0 ? `redis${s}-${which}:${named}` : `redis${s}-${which}://${named}/${db}`,
    nodes,
    master,
    db,
    tls,
    username: decoded(user, shown),
    password: decoded(password, shown),
    sentinel: sentinelIn(query, tls, { fail, shown }),
  };
}

type Fail = (why: string) => never;

function nodeIn(part: string, fail: Fail): { readonly host: string; readonly port: number } {
  const [, six, four, port] = NODE.exec(part) ?? [];
  // Hides a password in the query after it, with an @ that is not written %40.
  const host = six ?? four ?? fail(`"${part.replace(/\?.*/s, "?…")}" is not host:port`);
  if (Number(port) < 1 || Number(port) > MAX_PORT) fail(`a port is a number from 1 to ${MAX_PORT}`);
  return { host, port: Number(port) };
}

const placeText = ({ host, port }: { host: string; port: number }): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

function sentinelIn(
  query: string,
  isTls: boolean,
  { fail, shown }: { readonly fail: Fail; readonly shown: string },
): RedisGroupSpecification["sentinel"] {
  const given = new Map(
    query
      .split("&")
      .filter((pair) => pair !== "")
      .map((pair) => {
        const [, name = pair, value = ""] = /^([^=]*)=(.*)$/.exec(pair) ?? [];
        if (SENTINEL_NAMES.includes(name) && value !== "") return [name, value];
        // It may be the end of the password.
        if (query.slice(0, query.indexOf(pair)).includes("sentinel-password="))
          return fail(
            "the text after the sentinel-password is no setting with a value (a & in it is written %26)",
          );
        return fail(`"${name}" is no setting with a value`);
      }),
  );
  const [username, password] = ["sentinel-user", "sentinel-password"].map((name) =>
    decoded(given.get(name) ?? "", shown),
  ) as [string | null, string | null];
  if (username !== null && password === null) fail("the sentinel-password is missing");
  const tls = given.get("sentinel-tls") ?? (isTls ? "yes" : "no");
  if (tls !== "yes" && tls !== "no") fail("sentinel-tls is yes or no");
  return { username, password, tls: tls === "yes" };
}
