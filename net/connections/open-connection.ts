import type { ClientDoing } from "./dialect.js";

/** A client's connection, as its listener and the byte budget use it. */
export interface OpenConnection {
  /** Address and port, as the log shows them. */
  readonly remote: string;
  /** Its address alone. */
  readonly address: string;
  /** Bytes of unfinished requests and of answers that the client has not read. */
  readonly heldBytes: number;
  readonly doing: ClientDoing;
  /** `uptime` milliseconds. */
  readonly openedAt: number;
  /** When the present request began, or the last byte was received; `uptime` milliseconds. */
  readonly activeAt: number;
  /** Closes the connection if it has been idle for too long. Called regularly. @param now  `uptime` milliseconds */
  checkTime(now: number): void;
  /** Finishes what has been received as complete frames, then closes. */
  stop(): void;
  /** Closes immediately, whatever is in flight. */
  destroy(): void;
}
