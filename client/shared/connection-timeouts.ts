/** The timeouts of connections in milliseconds, and their maximum numbers of attempts. */

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
