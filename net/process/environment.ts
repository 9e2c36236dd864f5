/** The clock and the source of randomness that are passed to the daemon's parts, so that tests can pass their own. */
import { randomBytes, randomFillSync } from "node:crypto";
import { performance } from "node:perf_hooks";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";

export interface Environment {
  /** Milliseconds since 1970; may jump. */
  clock(): number;
  /** Milliseconds since some moment, fractions included; never jumps. For measuring spans only. */
  uptime(): number;
  /** Returns a number of at least 0 and below 1; it may be guessable. */
  random(): number;
  /** `count` unguessable bytes. */
  randomBytes(count: number): ByteString;
  /** Runs a step once, after the given milliseconds. @returns cancels it; harmless when it has run */
  setTimer(milliseconds: number, step: () => void): () => void;
}

/** Bytes drawn in one system call: a call for each few bytes costs thirty times as much. */
const POOL_BYTES = 4096;
/** More are drawn by themselves. */
const POOLED_MAX = 64;

/** Returns random bytes of a pool. Each byte is used once, and overwritten here. */
function drawn(): Environment["randomBytes"] {
  const pool = Buffer.alloc(POOL_BYTES);
  let left = 0;
  return (count) => {
    if (count > POOLED_MAX) return randomBytes(count).toString("latin1");
    if (count > left) {
      randomFillSync(pool);
      left = POOL_BYTES;
    }
    const bytes = bytesOf(pool, left - count, left);
    pool.fill(0, left - count, left);
    left -= count;
    return bytes;
  };
}

export const realEnvironment: Environment = {
  clock: () => Date.now(),
  uptime: () => performance.now(),
  random: () => Math.random(),
  randomBytes: drawn(),
  setTimer(milliseconds, step) {
    const timer = setTimeout(step, milliseconds);
    return () => clearTimeout(timer);
  },
};
