/**
 * The limits for all values that clients choose. The settings file may change each of them by its name. README.md
 * lists them.
 */

export const LIMITS = {
  /** The maximum size of a client's frame in bytes. A larger one closes the connection (1009). */
  FRAME_BYTES: 8192,
  /** The maximum length of a message in characters. A longer one is refused. */
  TEXT_CHARS: 2000,
  /** The maximum length of a user's and of a room's name in characters. */
  NAME_CHARS: 32,
  /** The milliseconds within which a connection must send its hello. */
  HELLO_MS: 10_000,
  /**
   * The number of requests that a connection may send in a burst. Later, a connection may on average send this number
   * per FLOOD_MS.
   */
  FLOOD_COUNT: 20,
  FLOOD_MS: 10_000,
  /** The number of invalid or excessive requests after which a connection is closed. */
  STRIKES: 100,
  /** The maximum number of new sessions per minute from one address, on all servers together. */
  SESSIONS_PER_MINUTE: 600,
  /** The maximum number of connections of a server. */
  CONNECTIONS: 10_000,
  /** The maximum number of connections of a server from one address. */
  CONNECTIONS_PER_ADDRESS: 2000,
  /** The maximum number of bytes that wait for a client that does not read. More closes its connection. */
  WAITING_BYTES: 1_048_576,
  /** The number of messages that a client receives when it joins, and for each request for earlier ones. */
  HISTORY_COUNT: 50,
  /** The maximum number of names of users and of rooms in one answer. */
  NAMES_TOLD: 100,
  /** The milliseconds between two heartbeats of servers and sessions, and between two pings to clients. */
  SIGN_MS: 10_000,
  /** The milliseconds between two heartbeats to a client. */
  BEAT_MS: 1000,
  /** The seconds without a heartbeat after which a user is absent. */
  HERE_SECONDS: 30,
  /** The seconds without a heartbeat after which a session ends. */
  SESSION_SECONDS: 90,
  /** The seconds for which the session of a user who has left is stored. */
  AWAY_SECONDS: 3600,
  /** The timeout of Redis and MongoDB in milliseconds. */
  STORE_MS: 5000,
} as const;

export type Limits = Readonly<Record<keyof typeof LIMITS, number>>;
