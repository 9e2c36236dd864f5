/**
 * The names of a daemon's states in a hello. `protocol/daemon-states.ts` has their meanings, which clients do not load.
 */
export const STATE_NAMES = [
  "starting",
  "live",
  "loading-documents",
  "catching-up",
  "isolated",
  "order-unavailable",
  "clock-off",
  "unauthorized",
  "storage-failed",
  "database-down",
  "outdated",
  "not-listed",
  "not-admitted",
  "revoked",
  "stopping",
] as const;

export type StateName = (typeof STATE_NAMES)[number];
