/** Fills servers for Redis clients with values, and measures the memory that redis-server uses for them. */
import type { ByteString } from "../protocol/byte-string.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { memoryUse } from "./usage.js";

/** Returns the command that writes the value with this number. */
export type CommandOf = (i: number) => readonly ByteString[];

const PIPELINED = 1000;

export const digits = (i: number, length: number): string => String(i).padStart(length, "0");

/** Sets a key of 16 bytes to a value of 14. */
export const stringCommand = (i: number): string[] => [
  "SET",
  `key:${digits(i, 12)}`,
  `value:${digits(i, 8)}`,
];

/** Sends commands, 1,000 at a time. */
export async function fill(connection: RedisConnection, command: CommandOf, count: number): Promise<void> {
  for (let from = 0; from < count; from += PIPELINED) {
    for (let i = from; i < Math.min(count, from + PIPELINED); i++) connection.queue(command(i));
    await connection.flush();
  }
}

/** Starts redis-server, and returns the bytes by which its live objects and the process grow when it is filled. */
export async function measureRedis(command: CommandOf, count: number) {
  await using redis = await startRedis();
  using connection = await RedisConnection.open(redis.port);
  const memory = async () => {
    const info = JSON.stringify(await connection.call("INFO", "memory"));
    return {
      used: Number(/used_memory:(\d+)/.exec(info)?.[1]),
      resident: memoryUse(redis.pid).resident * 2 ** 20,
    };
  };
  const before = await memory();
  await fill(connection, command, count);
  const after = await memory();
  return { used: after.used - before.used, resident: after.resident - before.resident };
}
