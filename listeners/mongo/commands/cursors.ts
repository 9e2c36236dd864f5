/** What follows on a first answer: further documents, or that they are not wanted. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { elements, int64, list } from "../../../protocol/mongo/bson-writer.js";
import type { CommandDocument } from "../messages/command-document.js";
import { failure } from "../messages/failure.js";
import { nextBatch } from "../session/batches.js";
import type { CommandHost, MongoCommand } from "../session/command-host.js";
import type { Cursor } from "../session/cursors.js";
import { countOf, namespaceOf } from "./arguments.js";

/** Ids that one command may name. */
const KILLED_MOST = 10_000;

export const cursorCommands: readonly MongoCommand[] = [
  {
    names: ["getMore"],
    group: "cursors",
    summary: "further documents, as they were when they were found",
    fields: { collection: "taken", batchSize: "taken", term: "default" },
    run: getMore,
  },
  {
    names: ["killCursors"],
    group: "cursors",
    summary: "ends cursors: their remaining documents are dropped",
    fields: { cursors: "taken" },
    run: killCursors,
  },
];

function getMore(host: CommandHost, command: CommandDocument): ByteString {
  const id = command.int64("getMore") ?? 0n;
  const cursor = cursorOf(host, id);
  if (cursor === null) throw failure(43, `cursor id ${id} not found`);
  const namespace = namespaceOf(command, "collection");
  if (cursor.namespace !== namespace) throw failure(13, "the cursor is of another collection");
  host.check(cursor.asked);
  return nextBatch(host, cursor, countOf(command, "batchSize") || null);
}

function killCursors(host: CommandHost, command: CommandDocument): ByteString {
  const ids = (command.values("cursors", KILLED_MOST) ?? []).map((one) => one.int64("") ?? 0n);
  const killed: bigint[] = [];
  const absent: bigint[] = [];
  for (const id of ids) {
    const cursor = cursorOf(host, id);
    if (cursor !== null) host.server.cursors.close(cursor);
    (cursor === null ? absent : killed).push(id);
  }
  return elements({
    cursorsKilled: list(killed.map(int64)),
    cursorsNotFound: list(absent.map(int64)),
    cursorsAlive: list([]),
    cursorsUnknown: list([]),
  });
}

/** null: it is not there, or somebody else's. */
function cursorOf({ server, login }: CommandHost, id: bigint): Cursor | null {
  const cursor = server.cursors.find(id);
  return cursor !== undefined && cursor.user === login.name ? cursor : null;
}
