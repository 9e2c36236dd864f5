/**
 * MDB.*: collections of documents with MongoDB's commands, under their own names, and the keys that their bytes may
 * touch. Documents are BSON or Extended JSON. Source: MongoDB 7's manual; docs/mongo-collections.md.
 */

import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { eachChangeEvent } from "../../../../daemon/store/events/event-rules.js";
import { type FamilyGroup, family } from "../../../../daemon/store/rows/command-row.js";
import type { KeySpec, Permission, Touch } from "../../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { documentOf } from "../queries/command-fields.js";
import { PREFIX } from "../values/collection-key.js";
import { aggregate, collectionsIn } from "./aggregation-pipeline.js";
import { deletesOne, updatesOne } from "./claimed-documents.js";
import {
  create,
  drop,
  dropDatabase,
  dropIndexes,
  listCollections,
  listDatabases,
  listIndexes,
} from "./collection-definitions.js";
import { collectionKey, databaseBeginning } from "./collection-names.js";
import { countDocuments, distinct, find } from "./find-and-count.js";
import { findAndModify } from "./find-and-modify.js";
import { createIndexes } from "./index-creation.js";
import { insert } from "./inserts.js";
import { detailed } from "./mdb-replies.js";
import { explain, rename, stats } from "./stats-explain-rename.js";
import { remove, update } from "./update-and-delete.js";

const touch = (argv: readonly ByteString[], access: Touch["access"], needs: Permission): Touch => ({
  db: null,
  key: collectionKey(argv[1] ?? "", argv[2] ?? ""),
  access,
  needs,
});

const named =
  (access: Touch["access"], needs: Permission): KeySpec =>
  (argv: readonly ByteString[]) => [touch(argv, access, needs)];

/** `command db collection …`: the collection, with the access that the command needs. */
const inserted = named("write", "W");
const updated = named("write", "RW");
const queried = named("read", "R");

const beginning = (access: Touch["access"], start: ByteString): Touch => ({
  db: null,
  key: null,
  access,
  beginning: start,
});

/** `command db`: all collections of the database. */
const ofDatabase =
  (access: Touch["access"]): KeySpec =>
  (argv: readonly ByteString[]) => [beginning(access, databaseBeginning(argv[1] ?? ""))];

/** `MDB.STATS db [collection]`. */
const measured: KeySpec = (argv: readonly ByteString[]) => [
  argv.length > 2 ? touch(argv, "read", "R") : beginning("read", databaseBeginning(argv[1] ?? "")),
];

/** `MDB.RENAME db collection db collection drops` */
const renamed: KeySpec = (argv: readonly ByteString[]) => [
  touch(argv, "write", "RW"),
  { db: null, key: collectionKey(argv[3] ?? "", argv[4] ?? ""), access: "write", needs: "RW" },
];

const ofAllDatabases: KeySpec = () => [beginning("read", PREFIX)];

/** `MDB.AGGREGATE db collection spec`: the collection, and those that its $lookup stages read. */
const aggregated: KeySpec = (argv: readonly ByteString[]) => [
  touch(argv, "read", "R"),
  ...otherCollections(argv[3] ?? "").map(
    (name): Touch => ({ db: null, key: collectionKey(argv[1] ?? "", name), access: "read", needs: "R" }),
  ),
];

function otherCollections(argument: ByteString): readonly ByteString[] {
  // Fast path: most pipelines have no $lookup, and need not be parsed twice.
  if (!argument.includes("$lookup") && !argument.includes("\\u")) return [];
  try {
    return collectionsIn(documentOf(argument));
  } catch (failure) {
    if (failure instanceof CommandFailure) return [];
    throw failure;
  }
}

const MONGO: FamilyGroup = { name: "mongo", isStatement: true };

export const collections = family(MONGO, {
  "MDB.INSERT": {
    arity: -5,
    flags: ["write", "denyoom", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(M), M: documents added",
    summary: "Adds documents, each with its _id, to a collection.",
    events: eachChangeEvent("mdb.insert"),
    run: insert,
  },
  "MDB.UPDATE": {
    arity: -5,
    flags: ["write", "denyoom", "movablekeys"],
    keys: updated,
    since: "",
    complexity: "O(N) for each statement, N: documents of the collection, or those that an index selects",
    summary: "Changes documents by statements {q, u, multi, upsert, upsertId, arrayFilters, let}.",
    events: eachChangeEvent("mdb.update"),
    isClaim: updatesOne,
    run: detailed(update),
  },
  "MDB.DELETE": {
    arity: -5,
    flags: ["write", "movablekeys"],
    keys: updated,
    since: "",
    complexity: "O(N) for each statement, N: documents of the collection, or those that an index selects",
    summary: "Removes documents by statements {q, limit, let}.",
    events: eachChangeEvent("mdb.delete"),
    isClaim: deletesOne,
    run: detailed(remove),
  },
  "MDB.FINDANDMODIFY": {
    arity: 4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: updated,
    since: "",
    complexity: "O(N), N: documents of the collection, or those that an index selects",
    summary: "Changes or removes one document, and returns it.",
    events: eachChangeEvent("mdb.findandmodify"),
    isClaim: true,
    run: detailed(findAndModify),
  },
  "MDB.FIND": {
    arity: 4,
    flags: ["readonly", "movablekeys"],
    keys: queried,
    since: "",
    complexity: "O(N), N: documents of the collection, or those that an index selects; O(N*log(N)) to sort",
    summary:
      "Returns the documents that {filter, sort, hint, min, max, projection, skip, limit} selects, or with returnKey their keys in the index.",
    cost: "query",
    run: find,
  },
  "MDB.COUNT": {
    arity: 4,
    flags: ["readonly", "movablekeys"],
    keys: queried,
    since: "",
    complexity: "O(N), N: documents of the collection, or those that an index selects",
    summary: "Counts the documents that {query, skip, limit} selects.",
    cost: "query",
    run: countDocuments,
  },
  "MDB.DISTINCT": {
    arity: 4,
    flags: ["readonly", "movablekeys"],
    keys: queried,
    since: "",
    complexity: "O(N), N: documents of the collection, or those that an index selects",
    summary: "Returns the distinct values of a field, {key, query}.",
    cost: "query",
    run: distinct,
  },
  "MDB.AGGREGATE": {
    arity: 4,
    flags: ["readonly", "movablekeys"],
    keys: aggregated,
    since: "",
    complexity: "O(N) for most stages, N: documents that reach the stage; O(N*log(N)) for $sort",
    summary: "Applies the stages of {pipeline} to a collection, whose documents {hint} orders.",
    cost: "query",
    run: aggregate,
  },
  "MDB.CREATE": {
    arity: 3,
    flags: ["write", "denyoom", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(1)",
    summary: "Creates an empty collection.",
    events: eachChangeEvent("mdb.create"),
    run: create,
  },
  "MDB.CREATEINDEXES": {
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(N), N: documents of the collection",
    summary: "Creates indexes {key, name, unique, sparse, expireAfterSeconds}.",
    events: eachChangeEvent("mdb.createindexes"),
    isClaim: true,
    run: detailed(createIndexes),
  },
  "MDB.DROPINDEXES": {
    arity: 4,
    flags: ["write", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(1)",
    summary: "Drops the index {index}, or all indexes except that of _id.",
    events: eachChangeEvent("mdb.dropindexes"),
    run: dropIndexes,
  },
  "MDB.LISTINDEXES": {
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: queried,
    since: "",
    complexity: "O(1)",
    summary: "Returns the indexes of a collection.",
    run: listIndexes,
  },
  "MDB.LISTCOLLECTIONS": {
    arity: 3,
    flags: ["readonly", "movablekeys"],
    keys: ofDatabase("read"),
    since: "",
    complexity: "O(N), N: keys",
    summary: "Returns the collections of a database that {filter, nameOnly} selects.",
    run: listCollections,
  },
  "MDB.LISTDATABASES": {
    arity: 2,
    flags: ["readonly", "movablekeys"],
    keys: ofAllDatabases,
    since: "",
    complexity: "O(N), N: keys and documents",
    summary: "Returns the databases that {filter, nameOnly} selects.",
    run: listDatabases,
  },
  "MDB.STATS": {
    arity: -2,
    flags: ["readonly", "movablekeys"],
    keys: measured,
    since: "",
    complexity: "O(N), N: documents",
    summary: "Returns the sizes of a database, or of a collection.",
    run: stats,
  },
  "MDB.EXPLAIN": {
    arity: 4,
    flags: ["readonly", "movablekeys"],
    keys: queried,
    since: "",
    complexity: "O(N), N: documents that an index selects",
    summary: "Names the index that {filter, sort} uses.",
    run: explain,
  },
  "MDB.RENAME": {
    arity: 6,
    flags: ["write", "movablekeys"],
    keys: renamed,
    since: "",
    complexity: "O(1)",
    summary: "Renames a collection; with 1, it replaces a collection with the new name.",
    events: eachChangeEvent("mdb.rename"),
    run: rename,
  },
  "MDB.DROP": {
    arity: 3,
    flags: ["write", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(1)",
    summary: "Drops a collection.",
    events: eachChangeEvent("mdb.drop"),
    run: drop,
  },
  "MDB.DROPDATABASE": {
    arity: 2,
    flags: ["write", "movablekeys"],
    keys: ofDatabase("write"),
    since: "",
    complexity: "O(N), N: keys",
    summary: "Drops all collections of a database.",
    events: eachChangeEvent("mdb.dropdatabase"),
    run: dropDatabase,
  },
});
