/** Receives events of connections; metrics count them. */
export interface ConnectionObserver {
  connected(listener: string, change: 1 | -1): void;
  /** @param code  one of those that the listener has sentences for */
  refused(listener: string, code: string): void;
}
