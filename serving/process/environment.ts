/** The clock and the randomness that the daemon's parts are handed, so that a test can hand in its own. */
import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { ByteString } from "../../protocol/byte-string.js";

export interface Environment {
  /** Milliseconds since 1970; may jump. */
  clock(): number;
  /** Milliseconds since some moment, fractions included; never jumps. For measuring spans only. */
  uptime(): number;
  /** At least 0, below 1; need not be unguessable. */
  random(): number;
  /** `count` unguessable bytes. */
  randomBytes(count: number): ByteString;
  /** Runs a step once, after so many milliseconds. @returns what takes that back; harmless when it has run */
  setTimer(milliseconds: number, step: () => void): () => void;
}

export const realEnvironment: Environment = {
  clock: () => Date.now(),
  uptime: () => performance.now(),
  random: () => Math.random(),
  randomBytes: (count) => randomBytes(count).toString("latin1"),
  setTimer(milliseconds, step) {
    const timer = setTimeout(step, milliseconds);
    return () => clearTimeout(timer);
  },
};
