/**
 * Connections to daemons: their timeouts in milliseconds, their maximum numbers of attempts, the wait after a failure,
 * and the reason why a connection ended.
 */
import type { SocketError } from "./client-environment.js";
import type { Stage } from "./errors.js";

/**
 * The timeout for connecting, and then for the answer to the hello. In version 1 it is the minimum time for connecting,
 * equal to the default timeout of a call, because calls with a longer timeout may follow in the queue.
 */
export const CONNECT_MS = 3_000;

/** The time after which an unused connection is closed. */
export const IDLE_MS = 30_000;

/**
 * The time after which a silent connection with unanswered commands is closed, because its machine may be unreachable.
 */
export const OVERDUE_MS = 10_000;

/** A daemon receives no more commands if its answers are overdue by this time and another daemon has answered since. */
export const STALL_MS = 250;

/** The minimum interval at which a daemon of another cluster is queried for its cluster. */
export const FOREIGN_RETRY_MS = 1_000;

/**
 * The interval at which the client checks whether a daemon that turned out to speak version 2 has answered its version
 * 1 calls.
 */
export const DRAIN_MS = 2;

/** Expired items leave a hung daemon's queue this long after their deadline, so that one pass removes many of them. */
export const SLACK_MS = 100;

/** The maximum number of times an envelope is written, each time on a new connection. */
export const WRITES_MAX = 3;

/**
 * The time after one daemon's nil (or error, in version 2) in which another daemon may still return a value. It is long
 * enough for a daemon that is only slightly slower, and short enough that a hung daemon does not slow down every miss.
 */
export const MISS_LINGER_MS = 50;

/**
 * The time for which pending deliveries keep the process alive after all calls have settled. The slower daemons should
 * also receive the command, even from a script that ends right after its await. After this time, each version 1
 * connection that is not established, or has unsent bytes, may keep the process alive for as long again.
 */
export const DELIVERY_LINGER_MS = 500;

/** The maximum wait after the first failure. */
const FIRST_MS = 50;

/** The maximum wait after any failure. A call may take this long to notice that a daemon has recovered. */
const LONGEST_MS = 2_000;

/** The failure of an attempt to connect. */
interface ConnectFailure {
  readonly stage: Stage;
  readonly detail: string;
}

/**
 * The wait after a failure to connect to a daemon. It doubles, with full jitter, so that the clients of a recovered
 * daemon do not all connect at the same moment. During the wait, calls fail immediately with the last failure.
 */
export class Backoff {
  /** The failure of the last attempt; null after a success. */
  failure: ConnectFailure | null = null;
  #failures = 0;
  #until = 0;

  failed(failure: ConnectFailure, now: number, random: number): void {
    this.failure = failure;
    const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    this.#until = now + random * longest;
  }

  succeeded(): void {
    this.failure = null;
    this.#failures = 0;
  }

  /** The time of the next attempt. */
  get until(): number {
    return this.#until;
  }

  /** Returns the milliseconds until the next attempt. */
  wait(now: number): number {
    return Math.max(0, this.#until - now);
  }

  /** Returns the failure to report without an attempt, or null if the caller may try. */
  refusal(now: number): ConnectFailure | null {
    return now < this.#until ? this.failure : null;
  }
}

/**
 * Returns the stage and the detail of a connection's end.
 * @param error  the error, or null if the other side closed the stream normally
 * @param open   the stage to report if the connection had been established, or null if it had not
 */
export function closeReason(
  error: SocketError | null,
  open: Stage | null,
): { readonly stage: Stage; readonly detail: string } {
  if (error?.stage !== undefined) return { stage: error.stage, detail: error.message };
  const detail = error === null ? "" : (error.code ?? error.message);
  const stage = open ?? (error?.syscall?.startsWith("getaddr") ? "dns" : "connect");
  return { stage, detail };
}
