/**
 * Counts the work of the daemon's components as plain numbers. tools/admin/http/exposition.ts reads and formats them
 * when a client requests metrics. Every command is counted here, so counting must not allocate memory.
 */

import type { ClientTotals } from "../../../protocol/figures/figure.js";
import { REFUSALS, type RefusalCode } from "../../engine/answers/refusals.js";
import type { Observer } from "../../engine/pipeline/pipeline-parts.js";
import { Histogram } from "../../net/process/histogram.js";

/** Bounds in seconds. A check takes about 20 µs for RSA-2048 and 100 µs for Ed25519; longer times include waiting. */
const VERIFY_BOUNDS = [
  0.00001, 0.00002, 0.00003, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.1,
];
/** Bounds in seconds. An answer from memory takes about 0.1 ms with its signature; with --data the disk dominates. */
const ANSWER_BOUNDS = [
  0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5,
];
/** Bounds in seconds, negative for past dates. The first and last bounds are those of the default window. */
const SKEW_BOUNDS = [-30, -10, -5, -2, -1, -0.5, -0.1, -0.05, -0.01, 0, 0.01, 0.05, 0.1, 0.5, 1, 2, 5];
/** Bounds in seconds. The last one is the default of --backend-timeout. */
const BACKEND_BOUNDS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

const MS_PER_SECOND = 1000;

/** Counts of one listener since the start. */
export interface ListenerCounts {
  /** Number of units that were answered without an error. */
  ok: number;
  errors: number;
  /** Number of open connections. */
  connections: number;
  connected: number;
  /**
   * Number of refusals by code, of all codes from the start. metric-table.ts shows those that the listener can have.
   */
  readonly refusals: Record<RefusalCode, number>;
}

/** Counts of one backend since the start. */
export interface BackendCounts {
  readonly latency: Histogram;
  failures: number;
}

export class Metrics implements Observer {
  readonly listeners = new Map<string, ListenerCounts>();
  readonly backends = new Map<string, BackendCounts>();
  readonly verify = new Histogram(VERIFY_BOUNDS);
  readonly answers = new Histogram(ANSWER_BOUNDS);
  readonly skew = new Histogram(SKEW_BOUNDS);
  #lastName = "";
  #last: ListenerCounts | null = null;

  served(listener: string, units: number, errors: number): void {
    const counts = this.#of(listener);
    counts.ok += units - errors;
    counts.errors += errors;
  }

  refused(listener: string, code: RefusalCode): void {
    this.#of(listener).refusals[code]++;
  }

  verified(milliseconds: number): void {
    this.verify.observe(milliseconds / MS_PER_SECOND);
  }

  answered(milliseconds: number): void {
    this.answers.observe(milliseconds / MS_PER_SECOND);
  }

  skewed(milliseconds: number): void {
    this.skew.observe(milliseconds / MS_PER_SECOND);
  }

  connected(listener: string, change: 1 | -1): void {
    const counts = this.#of(listener);
    counts.connections += change;
    if (change === 1) counts.connected++;
  }

  /** Counts an answer or a failure of a backend. */
  applied(backend: string, milliseconds: number, failed: boolean): void {
    const counts = this.backendCounts(backend);
    counts.latency.observe(milliseconds / MS_PER_SECOND);
    if (failed) counts.failures++;
  }

  backendCounts(name: string): BackendCounts {
    let counts = this.backends.get(name);
    if (counts === undefined) {
      counts = { latency: new Histogram(BACKEND_BOUNDS), failures: 0 };
      this.backends.set(name, counts);
    }
    return counts;
  }

  /** The sums of all listeners. */
  get totals(): ClientTotals {
    const totals = { clientAnswers: 0, clientRefusals: 0, clientConnections: 0 };
    for (const { ok, errors, connections, refusals } of this.listeners.values()) {
      totals.clientAnswers += ok + errors;
      totals.clientConnections += connections;
      for (const count of Object.values(refusals)) totals.clientRefusals += count;
    }
    return totals;
  }

  #of(listener: string): ListenerCounts {
    // Consecutive calls are nearly always for the same listener.
    if (this.#last !== null && listener === this.#lastName) return this.#last;
    let counts = this.listeners.get(listener);
    if (counts === undefined) {
      counts = { ok: 0, errors: 0, connections: 0, connected: 0, refusals: noRefusals() };
      this.listeners.set(listener, counts);
    }
    this.#lastName = listener;
    this.#last = counts;
    return counts;
  }
}

function noRefusals(): Record<RefusalCode, number> {
  return Object.fromEntries(Object.keys(REFUSALS).map((code) => [code, 0])) as Record<RefusalCode, number>;
}
