/**
 * The settings and the limits, from a dotenv file (`config`, as in the exercise) and the environment, which takes
 * precedence.
 */
import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";

/**
 * The limits for all values that clients choose. The settings file may change each of them by its name. README.md
 * lists them.
 */
export const LIMITS = {
  /** The maximum size of a client's frame in bytes. A larger one closes the connection (1009). */
  FRAME_BYTES: 8192,
  /** The maximum length of a message in characters. A longer one is refused. */
  TEXT_CHARS: 2000,
  /** The maximum length of a user's and of a room's name in characters. */
  NAME_CHARS: 32,
  /** The milliseconds within which a connection must send its hello. */
  HELLO_MS: 10_000,
  /**
   * The number of requests that a connection may send in a burst. Later, a connection may on average send this number
   * per FLOOD_MS.
   */
  FLOOD_COUNT: 20,
  FLOOD_MS: 10_000,
  /** The number of invalid or excessive requests after which a connection is closed. */
  STRIKES: 100,
  /** The maximum number of new sessions per minute from one address, on all servers together. */
  SESSIONS_PER_MINUTE: 600,
  /** The maximum number of connections of a server. */
  CONNECTIONS: 10_000,
  /** The maximum number of connections of a server from one address. */
  CONNECTIONS_PER_ADDRESS: 2000,
  /** The maximum number of bytes that wait for a client that does not read. More closes its connection. */
  WAITING_BYTES: 1_048_576,
  /** The number of messages that a client receives when it joins, and for each request for earlier ones. */
  HISTORY_COUNT: 50,
  /** The maximum number of names of users and of rooms in one answer. */
  NAMES_TOLD: 100,
  /** The milliseconds between two heartbeats of servers and sessions. */
  SIGN_MS: 10_000,
  /** The milliseconds between two pings to a client, which is disconnected if it has not answered the previous one. */
  PING_MS: 20_000,
  /** The milliseconds between two heartbeats to a client. */
  BEAT_MS: 1000,
  /** The seconds without a heartbeat after which a user is absent. */
  HERE_SECONDS: 30,
  /** The seconds without a heartbeat after which a session ends. */
  SESSION_SECONDS: 90,
  /** The seconds for which the session of a user who has left is stored. */
  AWAY_SECONDS: 3600,
  /** The timeout of Redis and MongoDB in milliseconds. */
  STORE_MS: 5000,
} as const;

export type Limits = Readonly<Record<keyof typeof LIMITS, number>>;

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface ChatSettings {
  readonly host: string;
  readonly port: number;
  /** The address for clients if it is not ws://host:port, for example `wss://chat.example`; otherwise null. */
  readonly address: string | null;
  /** The sites whose pages may connect, in addition to those of the servers. */
  readonly origins: readonly string[];
  /** The Redis servers, which are tried in turn. */
  readonly redis: readonly RedisAddress[];
  /** The MongoDB servers, which are tried in turn. If there are none, the history is also stored in Redis. */
  readonly mongoUrls: readonly string[];
  readonly limits: Limits;
}

type Values = Readonly<Record<string, string | undefined>>;

/**
 * @param file  the settings file, or null for the default one, which may be missing
 * @throws Error  if a setting is invalid; the message contains its name
 */
export function readSettings(file: string | null, environment: Values = process.env): ChatSettings {
  const path = file ?? "config";
  const read = file !== null || existsSync(path) ? parseEnv(readFileSync(path, "utf8")) : {};
  return settingsOf({ ...read, ...present(environment) });
}

export function settingsOf(values: Values): ChatSettings {
  const limits = Object.entries(LIMITS).map(([name, usual]) => [name, numberOf(values, name, usual, 1)]);
  const dbPort = numberOf(values, "DB_PORT", 6379, 1);
  return {
    host: values["HOST"] || "127.0.0.1",
    port: numberOf(values, "PORT", 8888, 0),
    address: values["ADDRESS"] || null,
    origins: listOf(values["ORIGINS"]),
    redis: listOf(values["DB_HOST"] || "127.0.0.1").map((address) => {
      const [, host, port] = /^(.+?)(?::(\d{1,5}))?$/.exec(address) ?? [];
      return { host: host as string, port: port === undefined ? dbPort : Number(port) };
    }),
    mongoUrls: (values["MONGO_URL"] ?? "").split(/\s+/).filter((url) => url !== ""),
    limits: Object.fromEntries(limits) as Limits,
  };
}

const present = (values: Values) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ""));

const listOf = (text = ""): readonly string[] =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");

function numberOf(values: Values, name: string, usual: number, min: number): number {
  const text = values[name];
  if (text === undefined || text === "") return usual;
  const value = Number(text);
  const max = name.endsWith("PORT") ? 65_535 : 2 ** 31 - 1;
  if (!Number.isInteger(value) || value < min || value > max)
    throw new Error(`${name}=${text}: expected a whole number from ${min} to ${max}`);
  return value;
}
