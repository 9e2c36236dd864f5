/**
 * Parses the address of several Redis servers that form one database of -d: some nodes of a cluster,
 * `redis-cluster:host:port,host:port`, or the sentinels of a master, `redis-sentinel:name@host:port,host:port`. After
 * `redis-…://` the address may begin with a user and a password, and end with the number of a database; `rediss-…`
 * means TLS. If the sentinels need a different login or TLS setting, it follows a question mark:
 * `?sentinel-user=…&sentinel-password=…&sentinel-tls=no`.
 */

/** The database, user and transport of connections to a Redis server. */
export interface RedisAccess {
  readonly db: number;
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: boolean;
}

/**
 * Decodes the user or the password of an address. Returns null if the address has none.
 * @param shown  the address without the password, for the error
 * @throws RangeError
 */
export function decoded(text: string, shown: string): string | null {
  try {
    return text === "" ? null : decodeURIComponent(text);
  } catch {
    throw new RangeError(`"${shown}": in a user name or a password, write % as %25.`);
  }
}

export interface RedisGroupSpecification extends RedisAccess {
  readonly kind: "redis-cluster" | "redis-sentinel";
  /** The address in the log, without the password. */
  readonly name: string;
  /** The named nodes of the cluster, or the sentinels. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** The name by which the sentinels know the master; "" for a cluster. */
  readonly master: string;
  /**
   * Access to the sentinels. If no password is set for them, the daemon first tries none, then the servers' password.
   */
  readonly sentinel: Omit<RedisAccess, "db">;
}

type Kind = RedisGroupSpecification["kind"];

export const REDIS_GROUP = /^\s*rediss?-(cluster|sentinel):/;

const PARTS = /^redis(s?)-(cluster|sentinel):(?:\/\/(?:([^@:/,]*):([^@:/,]*)@)?(.*?)(?:\/(\d{0,4}))?|(.*?))$/;
const NODE = /^(?:\[([^\]]+)\]|([^:[\]/@]+)):(\d{1,5})$/;
const MAX_PORT = 65535;
/** The query at the end. A `?` before an `@` belongs to a password that is not encoded. */
const QUERY = /\?([^@]*)$/;
const SENTINEL_NAMES = ["sentinel-user", "sentinel-password", "sentinel-tls"];

const FORM: Readonly<Record<Kind, string>> = {
  "redis-cluster": "redis-cluster:host:port,host:port, or redis-cluster://user:password@host:port,host:port",
  "redis-sentinel":
    "redis-sentinel:name@host:port,host:port, or redis-sentinel://user:password@name@host:port,host:port/number, optionally followed by " +
    "?sentinel-user=…&sentinel-password=…&sentinel-tls=yes|no",
};

/**
 * Parses an address.
 * @param text  matches `REDIS_GROUP`
 * @throws RangeError  the message states the problem and the expected form
 */
export function parseRedisGroup(text: string): RedisGroupSpecification {
  const address = text.trim();
  const [queried = "", query = ""] = QUERY.exec(address) ?? [];
  const shown = address.replace(/\/\/[^@,]*:[^@,]*@/, "//***@").replace(/(sentinel-password=).*/s, "$1***");
  const [, s, which, user = "", password = "", rest, number = "", plain] =
    PARTS.exec(address.slice(0, address.length - queried.length)) ?? [];
  const kind: Kind = which === "sentinel" ? "redis-sentinel" : "redis-cluster";
  const fail = (reason: string): never => {
    throw new RangeError(`"${shown}": ${reason}. Expected ${FORM[kind]}.`);
  };

  const [, master = "", list = ""] = /^(?:([^@]*)@)?(.*)$/.exec(rest ?? plain ?? "") ?? [];
  if (kind === "redis-sentinel" && master === "") fail("the master's name is missing");
  if (kind === "redis-cluster" && master !== "") fail("a cluster has no name");
  if (kind === "redis-cluster" && queried !== "") fail("a cluster has no settings after a question mark");
  const db = Number(number);
  if (kind === "redis-cluster" && db !== 0) fail("a Redis Cluster has only database 0");

  const nodes = list.split(",").map((part) => nodeIn(part.trim(), fail));
  const named = `${master === "" ? "" : `${master}@`}${nodes.map(nodeText).join(",")}`;
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

type Fail = (reason: string) => never;

function nodeIn(part: string, fail: Fail): { readonly host: string; readonly port: number } {
  const [, six, four, port] = NODE.exec(part) ?? [];
  // Do not show a query that follows, because it may contain a password with an unencoded @.
  const host = six ?? four ?? fail(`"${part.replace(/\?.*/s, "?…")}" is not host:port`);
  if (Number(port) < 1 || Number(port) > MAX_PORT) fail(`a port is a number from 1 to ${MAX_PORT}`);
  return { host, port: Number(port) };
}

const nodeText = ({ host, port }: { host: string; port: number }): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

function sentinelIn(
  query: string,
  isTls: boolean,
  { fail, shown }: { readonly fail: Fail; readonly shown: string },
): RedisGroupSpecification["sentinel"] {
  const parameters = new Map(
    query
      .split("&")
      .filter((pair) => pair !== "")
      .map((pair) => {
        const [, name = pair, value = ""] = /^([^=]*)=(.*)$/.exec(pair) ?? [];
        if (SENTINEL_NAMES.includes(name) && value !== "") return [name, value];
        // The pair may be the end of the password, which must not be shown.
        if (query.slice(0, query.indexOf(pair)).includes("sentinel-password="))
          return fail(
            "the text after the sentinel-password is not a setting with a value (write a & in the password as %26)",
          );
        return fail(`"${name}" is not a setting with a value`);
      }),
  );

  const [username, password] = ["sentinel-user", "sentinel-password"].map((name) =>
    decoded(parameters.get(name) ?? "", shown),
  ) as [string | null, string | null];
  if (username !== null && password === null) fail("the sentinel-password is missing");

  const tls = parameters.get("sentinel-tls") ?? (isTls ? "yes" : "no");
  if (tls !== "yes" && tls !== "no") fail("sentinel-tls must be yes or no");
  return { username, password, tls: tls === "yes" };
}
