import type { ClientDoing } from "./dialect.js";

/** The part of a client's connection that its listener and the byte budget use. */
export interface OpenConnection {
  /** Address and port, as the log shows them. */
  readonly remote: string;
  /** The address without the port. */
  readonly address: string;
  /** The number of bytes of unfinished requests and unread answers. */
  readonly heldBytes: number;
  /** The part of `heldBytes` that are answers. */
  readonly unreadBytes: number;
  readonly doing: ClientDoing;
  /** The time at which it was opened, in `uptime` milliseconds. */
  readonly openedAt: number;
  /** The time at which the current request began or the last byte was received, in `uptime` milliseconds. */
  readonly activeAt: number;
  /** Closes the connection if it has been idle for too long. Called regularly. @param now  `uptime` milliseconds */
  checkTime(now: number): void;
  /** Serves the complete frames that were received, then closes. */
  stop(): void;
  /** Closes immediately, even if requests are in progress. */
  destroy(): void;
}
