/** What bounds the options of a call. */

/** As the original's driver, which waits 3 s. */
export const DEFAULT_TIMEOUT_MS = 3_000;

/** Beyond it a version 2 daemon would refuse the command as too old; the same bound holds for version 1. */
export const MAX_TIMEOUT_MS = 20_000;

/** What is to be final waits for the daemons' window, and then for their reports. */
export const STABLE_TIMEOUT_MS = 60_000;

export const POLICIES: readonly unknown[] = ["first", "majority", "all", "all-equal"];
export const IF_KEYS_MOST = 1024;
export const DAEMONS_MOST = 99;
