/** The option of --mongo, and its limits. */

import { type LimitsOf, row, type ValuesOf } from "../../daemon/options/option-row.js";
import { HOUR, type LimitRow, listenAddressOr, MIB, MINUTE } from "../../daemon/options/value-forms.js";

/** The port of MongoDB. */
const MONGO_PORT = "27017";

export const MONGO_OPTIONS = {
  mongo: row({
    clients: "MongoDB",
    flags: "--mongo [address]",
    help: `serve MongoDB clients on a port of 127.0.0.1 (default: ${MONGO_PORT}), or on address:port`,
    form: listenAddressOr(MONGO_PORT),
    fallback: null,
    reload: "restart",
    example: MONGO_PORT,
    after: "sql",
  }),
} as const;

export const MONGO_LIMITS = {
  mongoCursors: {
    flag: "mongo-cursors",
    unit: "count",
    fallback: 1000,
    min: 0,
    max: 1_000_000,
    summary:
      "MongoDB: maximum number of open cursors; above it, the least recently used cursor of the user with the most cursors is closed",
    reason: "a client has one or two at a time; each needs about 300 bytes in addition to its documents",
    after: "respIdleTimeout",
  },
  mongoCursorBytes: {
    flag: "mongo-cursor-bytes",
    unit: "bytes",
    fallback: 256 * MIB,
    min: 0,
    max: 511 * MIB,
    summary: "MongoDB: total bytes of the documents of all cursors; a longer answer is refused",
    reason: "cursors keep copies of the documents that they found",
    after: "mongoCursors",
  },
  mongoCursorTimeout: {
    flag: "mongo-cursor-timeout",
    unit: "time",
    fallback: 10 * MINUTE,
    min: 50,
    max: 24 * HOUR,
    summary: "MongoDB: time after which an unused cursor is closed (MongoDB's cursorTimeoutMillis)",
    reason: "as in MongoDB",
    after: "mongoCursorBytes",
  },
} as const satisfies Record<string, LimitRow>;

declare module "../../daemon/options/option-row.js" {
  interface FaceLimits extends LimitsOf<typeof MONGO_LIMITS> {}
  interface FaceSettings extends ValuesOf<typeof MONGO_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof MONGO_OPTIONS>, "mongo"> {}
}
