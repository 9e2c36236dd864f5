/**
 * Commands that affect only the connection on which they arrive. listeners/resp executes them; in an envelope they
 * return an error that names the alternative. The rows are those of redis-server 7.0.
 */
import { family } from "../rows/command-row.js";
import { refuseWithoutConnection } from "../rows/connection-only-commands.js";
import { none } from "../rows/key-spec.js";

export const connection = family("connection", {
  HELLO: {
    arity: -1,
    flags: ["noscript", "loading", "stale", "fast", "no_auth"],
    keys: none,
    since: "6.0.0",
    complexity: "O(1)",
    summary: "Selects RESP2 or RESP3, and logs in: HELLO [2|3 [AUTH user password] [SETNAME name]].",
    run: refuseWithoutConnection,
  },
  QUIT: {
    arity: -1,
    flags: ["noscript", "loading", "stale", "fast", "no_auth"],
    keys: none,
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Replies OK and closes the connection.",
    run: refuseWithoutConnection,
  },
  RESET: {
    arity: 1,
    flags: ["noscript", "loading", "stale", "fast", "no_auth"],
    keys: none,
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Resets the connection to its initial state.",
    run: refuseWithoutConnection,
  },
}).concat(
  family("dbsync", {
    "DBSYNC|REPLY": {
      arity: 3,
      flags: ["noscript", "loading", "stale", "fast"],
      keys: none,
      since: "",
      complexity: "O(1)",
      summary:
        "Sets when this connection's writes are answered: immediately (provisional), or once their position is final (stable).",
      run: refuseWithoutConnection,
    },
  }),
);
