/** Receives events of connections; metrics count them. */
export interface ConnectionObserver {
  connected(listener: string, change: 1 | -1): void;
  /**
   * Called when a connection was refused or closed.
   * @param code  one of the codes for which the listener has a sentence
   */
  refused(listener: string, code: string): void;
}
