/** How ioredis connects with a Redis server, whatever for: nothing is sent twice, and nothing waits for a server that is away. */
import { isIP } from "node:net";
import type { RedisOptions } from "ioredis";
import type { RedisAccess } from "../../../options/addresses/redis-access.js";

/** @param timeout  milliseconds for a command, and for connecting */
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
    // A certificate for an address is asked for without a name.
    ...(tls ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {}),
    lazyConnect: true,
    // Version 1 has RESP2's vocabulary; numbers as text keep all 64 bits.
    protocol: 2,
    stringNumbers: true,
    disableClientInfo: true,
    connectTimeout: timeout,
    commandTimeout: timeout,
    // Fail fast while the server is away, and never send anything twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  };
}

/** Node's errors for several addresses of one name hold their reasons inside, and an empty message. */
export function sentenceOf(problem: unknown): string {
  if (problem instanceof AggregateError) return problem.errors.map(sentenceOf).join("; ");
  return problem instanceof Error ? problem.message : String(problem);
}
