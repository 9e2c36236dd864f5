/** Timeouts of links and pools in milliseconds, and numbers of attempts. */

/**
 * The timeout of connecting, and then of the answer to the hello. In version 1 it is the minimum for connecting, as
 * long as a call waits by default: calls with a longer timeout may follow in the queue.
 */
export const CONNECT_MS = 3_000;

/** An unused connection is closed after this time. */
export const IDLE_MS = 30_000;

/** A connection with unanswered commands that is silent for this long is closed: the machine may have vanished. */
export const OVERDUE_MS = 10_000;

/** Nothing more is written to a daemon that owes answers for so long, while another has answered since. */
export const STALL_MS = 250;

/** The minimum time before a daemon of another cluster is asked for its cluster again. */
export const ASK_AGAIN_MS = 1_000;

/** The interval of checks whether a daemon that has just turned out to be of version 2 has answered version 1's calls. */
export const DRAIN_MS = 2;

/** Expired items in the queue of a hung daemon are removed this long after their deadline, many at a time. */
export const SLACK_MS = 100;

/** The maximum number of writes of an envelope, each on another connection. */
export const WRITES_MAX = 3;

/**
 * The time after one daemon's nil (or in version 2 error) in which another daemon may still bring a value. It is long
 * enough for a daemon that is merely second, and short enough that a hung one does not slow down every miss.
 */
export const MISS_LINGER_MS = 50;
