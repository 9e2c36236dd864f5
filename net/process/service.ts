/**
 * Anything that lives. The constructor only remembers; `start` opens, `stop` is its mirror and may be
 * called twice.
 */
export interface Service {
  /** @throws StartError  what could not be opened, where, and what to do */
  start(): Promise<void>;
  /** Releases everything `start` took. Waits for what is in flight, for a bounded time. */
  stop(): Promise<void>;
}
