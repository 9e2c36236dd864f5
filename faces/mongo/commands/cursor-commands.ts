/** The commands that follow a first answer: they fetch further documents, or close the cursor. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { elements, int64, list } from "../bytes/bson-document-writer.js";
import type { CommandDocument } from "../messages/command-document.js";
import { failure } from "../messages/failure-codes.js";
import type { Cursor } from "../session/cursors.js";
import { nextBatch } from "../session/document-batches.js";
import type { MongoCommand, MongoSession } from "../session/mongo-session.js";
import { countOf, namespaceOf } from "./arguments.js";

/** Maximum number of cursor ids in one command. */
const KILLED_MAX = 10_000;

export const cursorCommands: readonly MongoCommand[] = [
  {
    names: ["getMore"],
    group: "cursors",
    summary: "returns further documents, in the state in which the command found them",
    fields: { collection: "used", batchSize: "used", term: "unsupported" },
    run: getMore,
  },
  {
    names: ["killCursors"],
    group: "cursors",
    summary: "closes cursors and discards their remaining documents",
    fields: { cursors: "used" },
    run: killCursors,
  },
];

function getMore(session: MongoSession, command: CommandDocument): ByteString {
  const id = command.int64("getMore") ?? 0n;
  const cursor = cursorOf(session, id);
  if (cursor === null) throw failure(43, `cursor id ${id} not found`);
  const namespace = namespaceOf(command, "collection");
  if (cursor.namespace !== namespace) throw failure(13, "the cursor belongs to another collection");
  session.check(cursor.argv);
  return nextBatch(session, cursor, countOf(command, "batchSize") || null);
}

function killCursors(session: MongoSession, command: CommandDocument): ByteString {
  const ids = (command.values("cursors", KILLED_MAX) ?? []).map((one) => one.int64("") ?? 0n);
  const killed: bigint[] = [];
  const absent: bigint[] = [];
  for (const id of ids) {
    const cursor = cursorOf(session, id);
    if (cursor !== null) session.server.cursors.close(cursor);
    (cursor === null ? absent : killed).push(id);
  }
  return elements({
    cursorsKilled: list(killed.map(int64)),
    cursorsNotFound: list(absent.map(int64)),
    cursorsAlive: list([]),
    cursorsUnknown: list([]),
  });
}

/** Returns the client's cursor, or null if it does not exist or belongs to another user. */
function cursorOf({ server, login }: MongoSession, id: bigint): Cursor | null {
  const cursor = server.cursors.find(id);
  return cursor !== undefined && cursor.user === login.name ? cursor : null;
}
