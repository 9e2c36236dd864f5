/** The settings, from a dotenv file (`config`, as in the exercise) and the environment, which takes precedence. */
import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { LIMITS, type Limits } from "./limits.js";

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
