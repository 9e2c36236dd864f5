/**
 * The commands of logical sessions, which drivers begin and end themselves. The daemon stores nothing for them, and
 * refuses transactions.
 */

import { binary, date, document, elements, int32 } from "../bytes/bson-documents.js";
import { noTransactions } from "../messages/command-document.js";
import type { MongoCommand } from "../session/mongo-session.js";

/** The lifetime of a session that the daemon reports. */
export const SESSION_MINUTES = 30;
const UUID = 4;
const UUID_BYTES = 16;

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
    summary: "does nothing, because the daemon stores no session data",
    fields: {},
    needsNoLogin: true,
    run: () => "",
  },
  {
    names: ["commitTransaction", "abortTransaction"],
    group: "connection",
    summary: "refused (238): transactions are not supported",
    fields: "any",
    run: () => {
      throw noTransactions();
    },
  },
];
