/** Limits for everything that clients choose. Each may be in the settings file, under its name; README.md lists them. */

export const LIMITS = {
  /** Bytes of one frame from a client; more closes its connection (1009). */
  FRAME_BYTES: 8192,
  /** Characters of what is said; what is longer is refused. */
  TEXT_CHARS: 2000,
  /** Characters of a name, and of a room's. */
  NAME_CHARS: 32,
  /** Milliseconds until a connection must have sent its hello. */
  HELLO_MS: 10_000,
  /** Requests of a connection in a burst; as many more are admitted each FLOOD_MS. */
  FLOOD_COUNT: 20,
  FLOOD_MS: 10_000,
  /** Requests above that, or that say nothing, until a connection is closed. */
  STRIKES: 100,
  /** New sessions a minute from one address, at all servers together. */
  SESSIONS_PER_MINUTE: 600,
  /** Connections of a server, and of them those from one address. */
  CONNECTIONS: 10_000,
  CONNECTIONS_PER_ADDRESS: 2000,
  /** Bytes that may wait for a client that does not read; more ends its connection. */
  WAITING_BYTES: 1_048_576,
  /** Messages that a client receives on joining, and for each request for earlier ones. */
  HISTORY_COUNT: 50,
  /** Maximum names of present users, and of rooms, in one answer. */
  NAMES_TOLD: 100,
  /** Milliseconds between two signs of life: of servers, of sessions, and to clients. */
  SIGN_MS: 10_000,
  /** Milliseconds between two signs to a client that its server is there. */
  BEAT_MS: 1000,
  /** Seconds without a sign after which a user is absent, and after which the session has ended. */
  HERE_SECONDS: 30,
  SESSION_SECONDS: 90,
  /** Seconds for which the session of a user that has left is stored. */
  AWAY_SECONDS: 3600,
  /** Milliseconds until Redis or MongoDB must have answered. */
  STORE_MS: 5000,
} as const;

export type Limits = Readonly<Record<keyof typeof LIMITS, number>>;
