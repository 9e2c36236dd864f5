/** The bounds of a listener's connections; what sets them and what they are called for users is the program's. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxRequestBytes: number;
  /** Of one client that does not take its answers. */
  readonly maxOutputBytes: number;
  /** Of all connections together: unfinished requests and untaken answers. */
  readonly maxBufferedBytes: number;
  /** Of those among them that have proved nothing. */
  readonly maxUnprovenBytes: number;
  /** Milliseconds for the rest of a request, and for a client that takes nothing. */
  readonly idleTimeout: number;
  /** Milliseconds that an answer may take. */
  readonly backendTimeout: number;
}
