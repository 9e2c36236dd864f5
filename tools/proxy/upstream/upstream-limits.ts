/** The limits for a proxy's use of one server. Times are in milliseconds. */
export interface UpstreamLimits {
  /** The timeout for connecting, including TLS. */
  readonly connectTimeout: number;
  /** The timeout for an answer after the statement was written. */
  readonly replyTimeout: number;
  /** The maximum length of one answer. */
  readonly maxReplyBytes: number;
  /** The maximum number of bytes of all answers that are being received. Above it, the largest one is aborted. */
  readonly maxReplyBytesTogether: number;
  /** The maximum number of connections to one server. The original has a thread for each. */
  readonly maxConnections: number;
  /** The maximum number of statements that wait for a connection. */
  readonly maxWaiting: number;
  /** The time after which an idle connection is closed. It should be shorter than the server's own idle timeout. */
  readonly idleTimeout: number;
  /** The time of silence after which a server receives a heartbeat. */
  readonly heartbeatInterval: number;
  /** The timeout for the answer to a heartbeat. The server may be executing a slow statement. */
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
