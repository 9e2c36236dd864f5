/** How long a link or a pool waits for what, in milliseconds, and how often a link tries. */

/**
 * How long connecting, and then the answer to the hello, may take. Of version 1 it is the least that connecting is given,
 * as long as a call waits by default: behind a call with little time may come others with more.
 */
export const CONNECT_MS = 3_000;

/** A connection that nobody needs is closed after this. */
export const IDLE_MS = 30_000;

/** A connection that owes answers and is silent for so long is given up: the machine may have vanished. */
export const OVERDUE_MS = 10_000;

/** Nothing more is written to a daemon that owes answers for so long, while another has answered since. */
export const STALL_MS = 250;

/** A daemon of another cluster is asked again whether it still is, but no more often. */
export const ASK_AGAIN_MS = 1_000;

/** A daemon that has just turned out to be of version 2 is looked at so often, until it has answered version 1's calls. */
export const DRAIN_MS = 2;

/** What has expired behind a daemon that hangs is cleared away this long after its deadline, many at a time. */
export const SLACK_MS = 100;

/** Connections that an envelope may be lost with. */
export const MAX_WRITES = 3;

/**
 * After one daemon said nil (or in version 2 an error), how long the others may still bring a value. Long enough for
 * a daemon that is merely second, short enough that a hung one does not make every miss slow.
 */
export const MISS_LINGER_MS = 50;
