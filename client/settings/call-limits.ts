/** The limits for the options of a call. */

/** The default timeout, the same as in the original driver. */
export const DEFAULT_TIMEOUT_MS = 3_000;

/**
 * The maximum timeout. After it, a version 2 daemon would refuse the command as too old. The same limit applies to
 * version 1.
 */
export const TIMEOUT_MS_MAX = 20_000;

/** The timeout of calls with `stable`, which wait for the daemons' window and then for their reports. */
export const STABLE_TIMEOUT_MS = 60_000;

export const POLICIES: readonly unknown[] = ["first", "majority", "all", "all-equal"];
export const IF_KEYS_MAX = 1024;
export const DAEMONS_MAX = 99;
