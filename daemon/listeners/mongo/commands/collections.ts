/** Commands on collections, their indexes, and databases. */
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { elements, embedded, list } from "../../../../protocol/mongo/bson-writer.js";
import type { CommandDocument } from "../messages/command-document.js";
import { failure } from "../messages/failure.js";
import type { Fields } from "../messages/fields.js";
import { documentsOf, firstBatch } from "../session/batches.js";
import type { CommandHost, MongoCommand } from "../session/command-host.js";
import { countOf, databaseOf, namespaceOf, placeOf } from "./arguments.js";
import { membersOfReply } from "./refused-documents.js";

/** Of one command. */
const INDEXES_MOST = 64;

const WRITES: Fields = { writeConcern: "taken" };
/** What collections can be besides plain ones. */
const KINDS: Fields = {
  ...{ capped: "default", size: "default", max: "default", validator: "default", validationLevel: "ignored" },
  ...{ validationAction: "ignored", viewOn: "default", pipeline: "default", timeseries: "default" },
  ...{
    expireAfterSeconds: "default",
    collation: "default",
    clusteredIndex: "default",
    autoIndexId: "ignored",
  },
  ...{ changeStreamPreAndPostImages: "default", encryptedFields: "default", storageEngine: "default" },
  ...{ indexOptionDefaults: "default" },
};

export const collectionCommands: readonly MongoCommand[] = [
  {
    names: ["create"],
    group: "collections",
    summary: "makes a collection, which the first document would make too",
    fields: { ...WRITES, ...KINDS },
    run: (host, command) => host.write(command, ["MDB.CREATE", ...placeOf(command)], () => ""),
  },
  {
    names: ["drop"],
    group: "collections",
    summary: "removes a collection",
    fields: WRITES,
    run: (host, command) => host.write(command, ["MDB.DROP", ...placeOf(command)], membersOfReply),
  },
  {
    names: ["dropDatabase"],
    group: "collections",
    summary: "removes all collections of a database",
    fields: WRITES,
    run: (host, command) => host.write(command, ["MDB.DROPDATABASE", databaseOf(command)], membersOfReply),
  },
  {
    names: ["createIndexes"],
    group: "collections",
    summary: "makes indexes; `unique` ones refuse what is there (11000)",
    fields: { ...WRITES, indexes: "taken", commitQuorum: "ignored" },
    run: createIndexes,
  },
  {
    names: ["dropIndexes", "deleteIndexes"],
    group: "collections",
    summary: "removes indexes",
    fields: { ...WRITES, index: "taken" },
    run: (host, command) =>
      host.write(command, ["MDB.DROPINDEXES", ...placeOf(command), command.only(["index"])], membersOfReply),
  },
  {
    names: ["listIndexes"],
    group: "collections",
    summary: "the indexes of a collection",
    fields: { cursor: "taken" },
    run: (host, command) =>
      listed(host, command, namespaceOf(command), ["MDB.LISTINDEXES", ...placeOf(command)]),
  },
  {
    names: ["listCollections"],
    group: "collections",
    summary: "the collections of a database",
    fields: { cursor: "taken", filter: "taken", nameOnly: "taken", authorizedCollections: "ignored" },
    run: listCollections,
  },
  {
    names: ["listDatabases"],
    group: "collections",
    summary: "the databases",
    fields: { filter: "taken", nameOnly: "taken", authorizedDatabases: "ignored" },
    run: (host, command) =>
      host.run(["MDB.LISTDATABASES", command.only(["filter", "nameOnly"])], (reply) =>
        elements({ databases: list(documentsOf(reply).map(embedded)) }),
      ),
  },
];

function createIndexes(host: CommandHost, command: CommandDocument): ByteString | Promise<ByteString> {
  const indexes = command.documents("indexes", INDEXES_MOST) ?? [];
  if (indexes.length === 0) throw failure(2, "Must specify at least one index to create");
  const argv = ["MDB.CREATEINDEXES", ...placeOf(command), ...indexes.map((one) => bytesOf(one))];
  return host.write(command, argv, membersOfReply);
}

function listCollections(host: CommandHost, command: CommandDocument): ByteString | Promise<ByteString> {
  const database = databaseOf(command);
  const spec = command.only(["filter", "nameOnly"]);
  return listed(host, command, `${database}.$cmd.listCollections`, ["MDB.LISTCOLLECTIONS", database, spec]);
}

/** Carries out what lists documents of our own making. */
function listed(
  host: CommandHost,
  command: CommandDocument,
  namespace: ByteString,
  argv: readonly ByteString[],
): ByteString | Promise<ByteString> {
  const wish = wishOf(command);
  return host.run(argv, (reply) => firstBatch(host, { namespace, argv }, documentsOf(reply), wish));
}

function wishOf(command: CommandDocument) {
  const cursor = command.within("cursor");
  return { size: cursor === null ? null : countOf(cursor, "batchSize"), isSingle: false };
}
