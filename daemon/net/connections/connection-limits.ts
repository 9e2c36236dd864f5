/** The limits for a listener's connections. The program sets them, and defines their names for users. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxRequestBytes: number;
  /** The maximum number of bytes that one client may leave unread. */
  readonly maxOutputBytes: number;
  /** The maximum number of bytes that all connections together may hold: unfinished requests and unread answers. */
  readonly maxBufferedBytes: number;
  /** The maximum number of bytes that all unauthenticated connections together may hold. */
  readonly maxUnprovenBytes: number;
  /** The milliseconds within which the remainder of a request must arrive, and within which a client must read. */
  readonly idleTimeout: number;
  /** The milliseconds that an answer may take. */
  readonly backendTimeout: number;
}
