/** The limits for clients of a proxy. Times are in milliseconds. */
import type { ConnectionLimits } from "../../../daemon/net/connections/connection-limits.js";
import { STATEMENT_BYTES_MAX } from "../../../faces/sql/store/grammar/parse.js";

export interface ClientLimits extends ConnectionLimits {
  /** The maximum time for which a client may be silent between statements; 0: no limit. */
  readonly silenceTimeout: number;
}

const MIB = 1024 * 1024;

export const CLIENT_LIMITS: ClientLimits = {
  maxConnections: 10_000,
  maxRequestBytes: STATEMENT_BYTES_MAX,
  maxOutputBytes: 64 * MIB,
  maxBufferedBytes: 256 * MIB,
  maxUnprovenBytes: 32 * MIB,
  idleTimeout: 10_000,
  backendTimeout: 12_000,
  silenceTimeout: 0,
};
