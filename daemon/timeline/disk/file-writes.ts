/** Writes all bytes at a position of a file, in this thread or in another one, and decides which of them does. */

import { write, writeSync } from "node:fs";
import { performance } from "node:perf_hooks";

/** The share of the newest value in a moving mean. */
const NEWEST_SHARE = 1 / 16;
/** A single write that takes this many times the limit is slow. */
const SLOW_FACTOR = 10;
/** Threads write for this multiple of the time that the slow write took, but at least a second. */
const PAUSE_FACTOR = 100;
const PAUSE_MIN_MS = 1000;

/** Clocks in milliseconds that never jump. */
export interface LoopTimes {
  readonly uptime: () => number;
  /** Returns for how many milliseconds of `uptime` the event loop was idle. */
  readonly idle: () => number;
}

const LOOP_TIMES: LoopTimes = {
  uptime: performance.now.bind(performance),
  idle: () => performance.nodeTiming.idleTime,
};

/**
 * The decision whether the event loop itself writes, and waits for the disk, or a thread does. Waking a thread, and
 * being woken by it, costs about 50 µs of CPU and at least 100 µs of waiting, often as long as the disk needs. The
 * event loop writes only if, on average, it is idle between two writes for at least as long as a write takes. After one
 * slow write the threads write for a while, so that a slow disk blocks the event loop for at most one percent of the
 * time.
 */
export class InlineWrites {
  readonly #limitMs: number;
  readonly #times: LoopTimes;
  /** The milliseconds that inline writes take, as a moving mean. */
  #meanMs: number;
  /** The milliseconds for which the event loop is idle between two writes, as a moving mean. */
  #idleMs: number;
  #idleBefore: number;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  /** @param limitMicros  microseconds that writes may take on average, or 0 if only threads write */
  constructor(limitMicros: number, times: LoopTimes = LOOP_TIMES) {
    this.#limitMs = limitMicros / 1000;
    this.#meanMs = this.#limitMs / 2;
    this.#idleMs = this.#limitMs;
    this.#times = times;
    this.#idleBefore = times.idle();
  }

  /** Whether the event loop itself may perform the next write. Called once before each write. */
  allowsNext(): boolean {
    if (this.#limitMs === 0) return false;
    const idle = this.#times.idle();
    // A single long pause does not predict the next writes.
    const idleMs = Math.min(idle - this.#idleBefore, SLOW_FACTOR * this.#limitMs);
    this.#idleMs += (idleMs - this.#idleMs) * NEWEST_SHARE;
    this.#idleBefore = idle;
    return this.#idleMs >= this.#meanMs && this.#times.uptime() >= this.#pausedUntil;
  }

  /** Runs a write that `allowsNext` has permitted. */
  run(write: () => void): void {
    const startedAt = this.#times.uptime();
    write();
    const endedAt = this.#times.uptime();
    const took = endedAt - startedAt;
    this.#meanMs += (took - this.#meanMs) * NEWEST_SHARE;
    if (took <= SLOW_FACTOR * this.#limitMs && this.#meanMs <= this.#limitMs) return;
    this.#pausedUntil = endedAt + Math.max(PAUSE_MIN_MS, PAUSE_FACTOR * took);
    // Measurements from before the pause do not predict the writes after it.
    this.#meanMs = this.#limitMs / 2;
  }
}

/**
 * Writes in this thread. The system may write fewer bytes than requested, for example on a full disk.
 * @throws Error  the system's error
 */
export function writeNow(descriptor: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
}

/** Writes in another thread. Rejects with the system's error. */
export function writeInThread(descriptor: number, bytes: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const writeFrom = (done: number): void => {
      write(descriptor, bytes, done, bytes.length - done, position + done, (problem, written) => {
        if (problem !== null) reject(problem);
        else if (done + written === bytes.length) resolve();
        else writeFrom(done + written);
      });
    };
    writeFrom(0);
  });
}
