/**
 * Commands that affect only the connection on which they arrive. faces/redis executes them. The rows are those of
 * redis-server 7.0.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Flag } from "../rows/command-row.js";
import { listenerRows } from "../rows/listener-rows.js";

const REPLYING: readonly Flag[] = ["noscript", "loading", "stale", "fast"];
const OPEN: readonly Flag[] = [...REPLYING, "no_auth"];
const inEnvelope = "it is for connections of the RESP listener (--resp)";

export const connection = listenerRows("connection", {
  HELLO: [
    -1,
    OPEN,
    "6.0.0",
    "O(1)",
    "Selects RESP2 or RESP3, and logs in: HELLO [2|3 [AUTH user password] [SETNAME name]].",
    { inEnvelope: "its signature identifies its sender", isSecret: followsAuth, connectionUse: "changes" },
  ],
  QUIT: [
    -1,
    OPEN,
    "1.0.0",
    "O(1)",
    "Replies OK and closes the connection.",
    { inEnvelope, connectionUse: "ends" },
  ],
  RESET: [
    1,
    OPEN,
    "6.2.0",
    "O(1)",
    "Resets the connection to its initial state.",
    { inEnvelope, connectionUse: "ends" },
  ],
}).concat(
  listenerRows("dbsync", {
    "DBSYNC|REPLY": [
      3,
      REPLYING,
      "",
      "O(1)",
      "Sets when this connection's writes are answered: immediately (provisional), or once their position is final (stable).",
      { inEnvelope },
    ],
  }),
);

/** Whether an argument of HELLO is the user or the password after AUTH. */
function followsAuth(argv: readonly ByteString[], index: number): boolean {
  // An option's value may be the word AUTH too, so the options are read in order, as HELLO reads them.
  for (let at = 2; at < index; at += argv[at]?.toUpperCase() === "AUTH" ? 3 : 2)
    if (argv[at]?.toUpperCase() === "AUTH" && index <= at + 2) return true;
  return false;
}
