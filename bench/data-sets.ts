/** What memory is measured with: a million of each, as commands. */
import type { ByteString } from "../protocol/byte-string.js";

export const DATA_SETS = {
  strings: (i: number) => ["SET", `key:${digits(i, 12)}`, `value:${digits(i, 8)}`],
  hashes: (i: number) => [
    ...["HSET", `user:${digits(i, 8)}`, "name", `name-${i}`, "email", `u${i}@example.org`],
    ...["age", `${i % 90}`, "city", `city${i % 1000}`, "seen", `${1_700_000_000 + i}`],
  ],
  zset: (i: number) => ["ZADD", "board", `${scattered(i)}`, `member:${digits(i, 8)}`],
  set: (i: number) => ["SADD", "members", `member:${digits(scattered(i), 8)}`],
  list: (i: number) => ["RPUSH", "queue", `job:${digits(i, 8)}`],
  expiring: (i: number) => ["SET", `key:${digits(i, 12)}`, `value:${digits(i, 8)}`, "EX", `${86_400 + i}`],
} as const satisfies Record<string, (i: number) => ByteString[]>;

export type DataSet = keyof typeof DATA_SETS;

const digits = (i: number, length: number) => String(i).padStart(length, "0");

/** All numbers below 2²⁰, out of order. */
const scattered = (i: number) => Math.imul(i, 0x9e3b1) & 0xfffff;
