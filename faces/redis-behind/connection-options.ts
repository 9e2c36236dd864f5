/**
 * The options of every ioredis connection. ioredis must not send any command twice, and must not queue commands for a
 * server that is down.
 */
import { isIP } from "node:net";
import type { RedisOptions } from "ioredis";
import type { RedisAccess } from "../../daemon/options/addresses/redis-addresses.js";

/** @param timeout  milliseconds for a command and for connecting */
export function connectionOptions(
  { host, port }: { readonly host: string; readonly port: number },
  { db, username, password, tls }: RedisAccess,
  timeout: number,
): RedisOptions & { replyMapping?: "legacy" } {
  return {
    host,
    port,
    db,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    // SNI does not allow an IP address as the server name.
    ...(tls ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {}),
    lazyConnect: true,
    // Version 1 uses the types of RESP2. Numbers are decoded as text, so that all 64 bits are preserved.
    protocol: 2,
    stringNumbers: true,
    disableClientInfo: true,
    connectTimeout: timeout,
    commandTimeout: timeout,
    // Fail fast while the server is down, and never send a command twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  };
}

/**
 * Returns the message of an error. If a host name has several addresses, Node puts the reasons into nested errors and
 * leaves the outer message empty.
 */
export function sentenceOf(problem: unknown): string {
  if (problem instanceof AggregateError) return problem.errors.map(sentenceOf).join("; ");
  return problem instanceof Error ? problem.message : String(problem);
}
