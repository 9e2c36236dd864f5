/** The commands that read documents. */
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  document,
  documentBytes,
  element,
  elements,
  int32,
  int64,
  list,
  text,
} from "../bytes/bson-documents.js";
import { BATCH_DOCUMENTS_MAX, DOCUMENT_BYTES_MAX } from "../bytes/mongo-message.js";
import { CommandDocument, type Fields } from "../messages/command-document.js";
import { failure } from "../messages/failure-codes.js";
import type { Cursor } from "../session/cursors.js";
import { documentsOf, firstBatch, nextBatch } from "../session/document-batches.js";
import type { MongoCommand, MongoSession } from "../session/mongo-session.js";
import { collectionArguments, collectionOf, countOf, databaseOf, namespaceOf } from "./arguments.js";
import { membersOfReply } from "./refused-documents.js";

const READ_OPTIONS: Fields = { collation: "unsupported", hint: "ignored", allowDiskUse: "ignored" };
const CURSOR_OPTIONS: Fields = {
  noCursorTimeout: "used",
  allowPartialResults: "ignored",
  tailable: "unsupported",
  awaitData: "unsupported",
  oplogReplay: "unsupported",
  returnKey: "used",
  showRecordId: "unsupported",
  min: "used",
  max: "used",
};

export const readCommands: readonly MongoCommand[] = [
  {
    names: ["explain"],
    group: "documents",
    summary: "shows which index a command uses, without executing it; there are no execution times",
    fields: { verbosity: "used" },
    run: explain,
  },
  {
    names: ["find"],
    group: "documents",
    summary: "returns matching documents: sorted, skipped, limited and projected",
    fields: {
      ...READ_OPTIONS,
      ...CURSOR_OPTIONS,
      hint: "used",
      filter: "used",
      sort: "used",
      projection: "used",
      skip: "used",
      limit: "used",
      batchSize: "used",
      singleBatch: "used",
      let: "used",
    },
    run: find,
  },
  {
    names: ["aggregate"],
    group: "documents",
    summary: "runs a pipeline on a collection's documents",
    fields: {
      ...READ_OPTIONS,
      hint: "used",
      pipeline: "used",
      let: "used",
      cursor: "used",
      explain: "unsupported",
      bypassDocumentValidation: "ignored",
      writeConcern: "ignored",
    },
    run: aggregate,
  },
  {
    names: ["count"],
    group: "documents",
    summary: "counts the matching documents",
    fields: { ...READ_OPTIONS, query: "used", limit: "used", skip: "used", fields: "ignored" },
    run: (session, command) =>
      session.run(
        ["MDB.COUNT", ...collectionArguments(command), command.only(["query", "skip", "limit"])],
        (reply) => elements({ n: int32(reply.kind === "integer" ? Number(reply.value) : 0) }),
      ),
  },
  {
    names: ["distinct"],
    group: "documents",
    summary: "returns the distinct values of a field in matching documents",
    fields: { ...READ_OPTIONS, key: "used", query: "used" },
    run: (session, command) =>
      session.run(
        ["MDB.DISTINCT", ...collectionArguments(command), command.only(["key", "query"])],
        (reply) => {
          const members = membersOfReply(reply);
          if (members.length <= DOCUMENT_BYTES_MAX) return members;
          throw failure(10334, `distinct too big, ${DOCUMENT_BYTES_MAX} bytes at most`);
        },
      ),
  },
];

/** For each command that `explain` supports, a function that returns the query to describe. */
const EXPLAINED: ReadonlyMap<string, (command: CommandDocument) => ByteString> = new Map([
  ["find", (command) => command.only(["filter", "sort", "hint"])],
  ["count", (command) => documentBytes(renamedMember(command, "query", "filter"))],
  ["distinct", (command) => documentBytes(renamedMember(command, "query", "filter"))],
  [
    "findAndModify",
    (command) => documentBytes(`${renamedMember(command, "query", "filter")}${command.element("sort")}`),
  ],
  ["update", (command) => documentBytes(filterOfFirst(command, "updates"))],
  ["delete", (command) => documentBytes(filterOfFirst(command, "deletes"))],
  ["aggregate", (command) => documentBytes(filterOfFirst(command, "pipeline", "$match"))],
]);

/** Returns a member of a command, renamed to `other`. */
function renamedMember(command: CommandDocument, name: string, other: string): ByteString {
  const [element, valueStart] = [command.element(name), name.length + 2];
  return element === "" ? "" : `${element.charAt(0)}${other}\0${element.slice(valueStart)}`;
}

/** Returns the filter of the first statement, or of the first stage of a pipeline. */
function filterOfFirst(command: CommandDocument, field: string, name = "q"): ByteString {
  const [first] = command.documents(field, BATCH_DOCUMENTS_MAX) ?? [];
  return first === undefined ? "" : renamedMember(new CommandDocument(first), name, "filter");
}

function explain(session: MongoSession, command: CommandDocument): ByteString | Promise<ByteString> {
  const inner = command.within("explain");
  const specOf = EXPLAINED.get(inner?.name ?? "");
  if (inner === null || specOf === undefined)
    throw failure(59, `Explain failed due to unknown command: ${inner?.name ?? ""}`);
  const verbosity = command.words("verbosity") ?? "queryPlanner";
  if (!VERBOSITIES.includes(verbosity))
    throw failure(9, `verbosity string must be one of {'${VERBOSITIES.join("', '")}'}`);
  const argv = ["MDB.EXPLAIN", databaseOf(command), collectionOf(inner), specOf(inner)];
  return session.run(argv, (reply) => membersOfReply(reply) + SERVER_INFO);
}

/** The values of `verbosity`. They do not change the answer, because the daemon does not execute the command. */
const VERBOSITIES: readonly string[] = ["queryPlanner", "executionStats", "allPlansExecution"];

const SERVER_INFO = element("serverInfo", document({ version: text("7.0.0") }));

/** The members of a find that the store reads. */
const FIND_MEMBERS: readonly string[] = [
  ...["filter", "sort", "hint", "min", "max", "returnKey", "projection", "skip", "limit", "let"],
];

function find(session: MongoSession, command: CommandDocument): ByteString | Promise<ByteString> {
  const namespace = namespaceOf(command);
  const batch = {
    size: countOf(command, "batchSize"),
    isSingle: command.flag("singleBatch"),
    expires: !command.flag("noCursorTimeout"),
  };
  const spec = command.only(FIND_MEMBERS);
  const argv = ["MDB.FIND", ...collectionArguments(command), spec];
  return session.run(argv, (reply) => firstBatch(session, { namespace, argv }, documentsOf(reply), batch));
}

function aggregate(session: MongoSession, command: CommandDocument): ByteString | Promise<ByteString> {
  if (!command.isText("aggregate"))
    throw failure(73, "aggregate needs a collection: aggregation over a complete database is not supported");
  const namespace = namespaceOf(command);
  const cursor = command.within("cursor");
  if (cursor === null) throw failure(9, "The 'cursor' option is required");
  const batch = { size: countOf(cursor, "batchSize"), isSingle: false };
  const spec = command.only(["pipeline", "let", "hint"]);
  const argv = ["MDB.AGGREGATE", ...collectionArguments(command), spec];
  return session.run(argv, (reply) => firstBatch(session, { namespace, argv }, documentsOf(reply), batch));
}

/** Maximum number of cursor ids in one command. */
const KILLED_MAX = 10_000;

/** The commands that follow a first answer: they fetch further documents, or close the cursor. */
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
