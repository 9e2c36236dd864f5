/** The commands on collections, their indexes, and databases. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { elements, embedded, list } from "../bytes/bson-documents.js";
import { CommandDocument, checkMembers, type Fields } from "../messages/command-document.js";
import { mongoError } from "../messages/failure-codes.js";
import { documentsOf, firstBatch } from "../session/document-batches.js";
import type { MongoCommand, MongoSession } from "../session/mongo-session.js";
import { collectionArguments, countOf, databaseOf, namespaceOf } from "./arguments.js";
import { membersOfReply } from "./refused-documents.js";

/** Maximum number of indexes in one command. */
const INDEXES_MAX = 64;

const WRITES: Fields = { writeConcern: "used" };
/** Options that would create a special kind of collection. */
const KINDS: Fields = {
  capped: "unsupported",
  size: "unsupported",
  max: "unsupported",
  validator: "unsupported",
  validationLevel: "ignored",
  validationAction: "ignored",
  viewOn: "unsupported",
  pipeline: "unsupported",
  timeseries: "unsupported",
  expireAfterSeconds: "unsupported",
  collation: "unsupported",
  clusteredIndex: "unsupported",
  autoIndexId: "ignored",
  changeStreamPreAndPostImages: "unsupported",
  encryptedFields: "unsupported",
  storageEngine: "unsupported",
  indexOptionDefaults: "unsupported",
};

const INDEX_FIELDS = ["key", "name", "unique", "sparse", "v", "background", "expireAfterSeconds"] as const;
/** The supported fields of indexes, and options that would create a special kind of index. */
const INDEX: Fields = {
  ...Object.fromEntries(INDEX_FIELDS.map((name) => [name, "used"] as const)),
  weights: "unsupported",
  wildcardProjection: "unsupported",
  bits: "unsupported",
  partialFilterExpression: "unsupported",
  min: "unsupported",
  max: "unsupported",
  default_language: "unsupported",
  language_override: "unsupported",
  textIndexVersion: "unsupported",
  "2dsphereIndexVersion": "unsupported",
  collation: "unsupported",
  hidden: "unsupported",
  clustered: "unsupported",
  prepareUnique: "unsupported",
  // listIndexes adds it to an invalid index, whose definition tools may send back.
  invalid: "ignored",
};

export const collectionCommands: readonly MongoCommand[] = [
  {
    names: ["create"],
    group: "collections",
    summary: "creates a collection; inserting a first document also creates it",
    fields: { ...WRITES, ...KINDS },
    run: (session, command) =>
      session.write(command, ["MDB.CREATE", ...collectionArguments(command)], () => ""),
  },
  {
    names: ["drop"],
    group: "collections",
    summary: "removes a collection",
    fields: WRITES,
    run: (session, command) =>
      session.write(command, ["MDB.DROP", ...collectionArguments(command)], membersOfReply),
  },
  {
    names: ["dropDatabase"],
    group: "collections",
    summary: "removes all collections of a database",
    fields: WRITES,
    run: (session, command) =>
      session.write(command, ["MDB.DROPDATABASE", databaseOf(command)], membersOfReply),
  },
  {
    names: ["createIndexes"],
    group: "collections",
    summary:
      "creates indexes; `unique` ones refuse duplicates (11000), those with `expireAfterSeconds` remove documents",
    fields: { ...WRITES, indexes: "used", commitQuorum: "ignored" },
    run: createIndexes,
  },
  {
    names: ["dropIndexes", "deleteIndexes"],
    group: "collections",
    summary: "removes indexes",
    fields: { ...WRITES, index: "used" },
    run: (session, command) =>
      session.write(
        command,
        ["MDB.DROPINDEXES", ...collectionArguments(command), command.only(["index"])],
        membersOfReply,
      ),
  },
  {
    names: ["listIndexes"],
    group: "collections",
    summary: "lists the indexes of a collection",
    fields: { cursor: "used" },
    run: (session, command) =>
      listed(session, command, namespaceOf(command), ["MDB.LISTINDEXES", ...collectionArguments(command)]),
  },
  {
    names: ["listCollections"],
    group: "collections",
    summary: "lists the collections of a database",
    fields: { cursor: "used", filter: "used", nameOnly: "used", authorizedCollections: "ignored" },
    run: listCollections,
  },
  {
    names: ["renameCollection"],
    group: "collections",
    summary:
      "renames a collection, in its database or into another one; `dropTarget` replaces an existing collection",
    fields: { ...WRITES, to: "used", dropTarget: "used" },
    run: rename,
  },
  {
    names: ["collStats", "collstats"],
    group: "collections",
    summary: "counts documents, bytes and indexes of a collection",
    fields: { scale: "ignored" },
    run: (session, command) => session.run(["MDB.STATS", ...collectionArguments(command)], membersOfReply),
  },
  {
    names: ["dbStats", "dbstats"],
    group: "collections",
    summary: "counts collections, documents and bytes of a database",
    fields: { scale: "ignored", freeStorage: "ignored" },
    run: (session, command) => session.run(["MDB.STATS", databaseOf(command)], membersOfReply),
  },
  {
    names: ["listDatabases"],
    group: "collections",
    summary: "lists the databases",
    fields: { filter: "used", nameOnly: "used", authorizedDatabases: "ignored" },
    run: (session, command) =>
      session.run(["MDB.LISTDATABASES", command.only(["filter", "nameOnly"])], (reply) =>
        elements({ databases: list(documentsOf(reply).map(embedded)) }),
      ),
  },
];

function rename(session: MongoSession, command: CommandDocument): ByteString | Promise<ByteString> {
  const names = [command.name, "to"].map((field) => {
    const [, database, collection] = /^([^.]+)\.(.+)$/s.exec(command.text(field) ?? "") ?? [];
    if (database === undefined || collection === undefined)
      throw mongoError(73, `renameCollection: '${field}' must be database.collection`);
    return [database, collection] as const;
  });
  const argv = ["MDB.RENAME", ...names.flat(), command.flag("dropTarget") ? "1" : "0"];
  return session.write(command, argv, () => "");
}

function createIndexes(session: MongoSession, command: CommandDocument): ByteString | Promise<ByteString> {
  const indexes = command.documents("indexes", INDEXES_MAX) ?? [];
  if (indexes.length === 0) throw mongoError(2, "Must specify at least one index to create");
  const specifications = indexes.map((one) => {
    const index = new CommandDocument(one);
    checkMembers(index, INDEX, "createIndexes.indexes");
    return index.only(INDEX_FIELDS);
  });
  const argv = ["MDB.CREATEINDEXES", ...collectionArguments(command), ...specifications];
  return session.write(command, argv, membersOfReply);
}

function listCollections(session: MongoSession, command: CommandDocument): ByteString | Promise<ByteString> {
  const database = databaseOf(command);
  const spec = command.only(["filter", "nameOnly"]);
  return listed(session, command, `${database}.$cmd.listCollections`, [
    "MDB.LISTCOLLECTIONS",
    database,
    spec,
  ]);
}

/** Runs a command that lists collections or indexes, and returns the first batch. */
function listed(
  session: MongoSession,
  command: CommandDocument,
  namespace: ByteString,
  argv: readonly ByteString[],
): ByteString | Promise<ByteString> {
  const batch = batchOf(command);
  return session.run(argv, (reply) => firstBatch(session, { namespace, argv }, documentsOf(reply), batch));
}

function batchOf(command: CommandDocument) {
  const cursor = command.within("cursor");
  return { size: cursor === null ? null : countOf(cursor, "batchSize"), isSingle: false };
}
