/**
 * Parses the address of a Redis: `redis://[user:password@]host[:port][/db]`, with TLS `rediss://`. `resp://` and
 * `resps://` mean the same.
 */
import { InvalidArgumentError } from "commander";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { readServerUrl } from "../shared/server-url-argument.js";

const SCHEME = "redis";
const DEFAULT_PORT = 6379;
const DATABASE = /^(redis(?:s)?:\/\/[^/?#]*)\/(\d{1,5})(?=$|[?#])/;

export const REDIS_URL_HELP =
  "redis://[user:password@]host[:port][/db] for a Redis or a dbsyncd with --resp (with TLS rediss://…, " +
  "followed by #sha256:… to pin the server's key; resp:// means the same as redis://)";

export interface RedisAddress {
  readonly server: ServerAddress;
  readonly db: number;
}

export const isRedisUrl = (text: string): boolean => /^(redis|resp)s?:\/\//.test(text);

/** @throws InvalidArgumentError */
export function readRedisUrl(url: string): RedisAddress {
  const text = url.replace(/^resp/, SCHEME);
  const [, , db = "0"] = DATABASE.exec(text) ?? [];
  try {
    const server = readServerUrl(text.replace(DATABASE, "$1"), { scheme: SCHEME, port: DEFAULT_PORT });
    return { server, db: Number(db) };
  } catch (problem) {
    if (!(problem instanceof InvalidArgumentError) || !problem.message.startsWith("The form is"))
      throw problem;
    throw new InvalidArgumentError(`Expected ${REDIS_URL_HELP}.`);
  }
}
