/**
 * The clock and the source of randomness, which are passed to the daemon's components so that tests can replace them.
 */
import { randomBytes, randomFillSync } from "node:crypto";
import { performance } from "node:perf_hooks";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";

export interface Environment {
  /** Returns the milliseconds since 1970; may jump. */
  clock(): number;
  /**
   * Returns the milliseconds, with fractions, since an arbitrary start; never jumps. It is only for measuring
   * intervals.
   */
  uptime(): number;
  /** Returns a number from 0 (inclusive) to 1 (exclusive). It may be predictable. */
  random(): number;
  /** Returns `count` unpredictable bytes. */
  randomBytes(count: number): ByteString;
  /** Runs a step once, after the given milliseconds. @returns a function that cancels it; harmless if it has run */
  setTimer(milliseconds: number, step: () => void): () => void;
}

/** The number of random bytes read in one system call. A call for every few bytes costs thirty times as much. */
const POOL_BYTES = 4096;
/** The maximum number of bytes taken from the pool. More are read separately. */
const POOLED_MAX = 64;

/** Returns a function that takes random bytes from a pool. Each byte is used once, and then overwritten. */
function pooledRandomBytes(): Environment["randomBytes"] {
  const pool = Buffer.alloc(POOL_BYTES);
  let remaining = 0;
  return (count) => {
    if (count > POOLED_MAX) return randomBytes(count).toString("latin1");
    if (count > remaining) {
      randomFillSync(pool);
      remaining = POOL_BYTES;
    }
    const bytes = bytesOf(pool, remaining - count, remaining);
    pool.fill(0, remaining - count, remaining);
    remaining -= count;
    return bytes;
  };
}

export const realEnvironment: Environment = {
  clock: Date.now,
  uptime: performance.now.bind(performance),
  random: Math.random,
  randomBytes: pooledRandomBytes(),
  setTimer(milliseconds, step) {
    const timer = setTimeout(step, milliseconds);
    return () => clearTimeout(timer);
  },
};
