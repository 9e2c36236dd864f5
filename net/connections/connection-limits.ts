/** The bounds of a listener's connections; what sets them and what they are called for users is the program's. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxRequestBytes: number;
  /** Bytes of answers that one client has not read. */
  readonly maxOutputBytes: number;
  /** Bytes that all connections hold together: unfinished requests and unread answers. */
  readonly maxBufferedBytes: number;
  /** Bytes that unauthenticated connections hold together. */
  readonly maxUnprovenBytes: number;
  /** Milliseconds for the rest of a request, and for a client that takes nothing. */
  readonly idleTimeout: number;
  /** Milliseconds that an answer may take. */
  readonly backendTimeout: number;
}
