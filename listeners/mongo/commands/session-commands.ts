/**
 * The commands of logical sessions, which drivers begin and end themselves. The daemon stores nothing for them.
 * Transactions are refused in the same way as by a standalone server.
 */
import { binary, date, document, elements, int32 } from "../../../protocol/mongo/bson-writer.js";
import { failure } from "../messages/failure.js";
import type { MongoCommand } from "../session/mongo-session.js";

const UUID = 4;
const UUID_BYTES = 16;
export const SESSION_MINUTES = 30;

const refuse = () => {
  throw failure(20, "Transaction numbers are only allowed on a replica set member or mongos");
};

export const sessionCommands: readonly MongoCommand[] = [
  {
    names: ["startSession"],
    group: "connection",
    summary: "returns a session id",
    fields: {},
    run: ({
      server: {
        host: { environment },
      },
    }) =>
      elements({
        id: document({ id: binary(UUID, environment.randomBytes(UUID_BYTES)) }),
        timeoutMinutes: int32(SESSION_MINUTES),
        lastUse: date(environment.clock()),
      }),
  },
  {
    names: ["endSessions", "refreshSessions", "killSessions"],
    group: "connection",
    summary: "does nothing, because the daemon stores no data of sessions",
    fields: {},
    isOpen: true,
    run: () => "",
  },
  {
    names: ["commitTransaction", "abortTransaction"],
    group: "connection",
    summary: "refused (20): transactions are not supported",
    fields: "any",
    run: refuse,
  },
];
