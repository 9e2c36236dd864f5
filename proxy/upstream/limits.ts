/** Limits for a proxy's use of one server. Times in milliseconds. */
export interface UpstreamLimits {
  /** Milliseconds for a connection, TLS included. */
  readonly connectTimeout: number;
  /** Milliseconds for an answer, from the moment the statement was written. */
  readonly replyTimeout: number;
  /** Maximum bytes of one answer. */
  readonly maxReplyBytes: number;
  /** Maximum bytes of all answers that are being received; beyond it the largest is aborted. */
  readonly maxReplyBytesTogether: number;
  /** Maximum connections to one server; the original has a thread for each. */
  readonly maxConnections: number;
  /** Statements that may wait for one of them. */
  readonly maxWaiting: number;
  /** An idle connection is closed after this time, before the server closes it. */
  readonly idleTimeout: number;
  /** A server that was silent for this time is sent a heartbeat. */
  readonly heartbeatInterval: number;
  /** Milliseconds for its answer; a server may be executing something slow. */
  readonly heartbeatTimeout: number;
}

const MIB = 1024 * 1024;

export const UPSTREAM_LIMITS: UpstreamLimits = {
  connectTimeout: 2_000,
  replyTimeout: 10_000,
  maxReplyBytes: 64 * MIB,
  maxReplyBytesTogether: 256 * MIB,
  maxConnections: 64,
  maxWaiting: 10_000,
  idleTimeout: 60_000,
  heartbeatInterval: 1_000,
  heartbeatTimeout: 2_000,
};
