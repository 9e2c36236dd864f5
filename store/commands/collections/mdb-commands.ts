/**
 * MDB.*: collections of documents with MongoDB's commands, under their own names. Documents are BSON or Extended JSON.
 * Source: MongoDB 7's manual; docs/mongo-collections.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { CommandFailure } from "../../arguments/command-errors.js";
import type { Data } from "../../keyspace/mutators.js";
import type { Unit } from "../../keyspace/unit.js";
import { NEEDS_SEMANTICS_3 } from "../../queries/bson/command-fields.js";
import { type Command, family, type Handler } from "../../rows/command-row.js";
import { aggregate } from "./aggregation-pipeline.js";
import { create, drop, dropDatabase, listCollections, listDatabases } from "./collection-definitions.js";
import { createIndexes, dropIndexes, listIndexes } from "./collection-indexes.js";
import {
  aggregated,
  inserted,
  measured,
  ofAllDatabases,
  ofDatabase,
  queried,
  renamed,
  updated,
} from "./collection-keys.js";
import { countDocuments, distinct, find } from "./find-and-count.js";
import { findAndModify } from "./find-and-modify.js";
import { insert } from "./inserts.js";
import { detailed } from "./mdb-replies.js";
import { explain, rename, stats } from "./stats-explain-rename.js";
import { remove, update } from "./update-and-delete.js";

/** @param isExtended whether the command may use the additions of CLUSTER SEMANTICS 3 */
type ByVersion = (data: Data, argv: readonly ByteString[], unit: Unit, isExtended: boolean) => Reply;

/** Commands with fields that CLUSTER SEMANTICS 3 added. Before that version, these fields are an error. */
const DIFFERING: Readonly<Record<string, ByVersion>> = {
  "MDB.UPDATE": update,
  "MDB.DELETE": remove,
  "MDB.FINDANDMODIFY": findAndModify,
  "MDB.CREATEINDEXES": createIndexes,
};

const byVersion = (isExtended: boolean, run: ByVersion): Handler =>
  detailed((data, argv, unit) => run(data, argv, unit, isExtended));

export const collections = family("mongo", {
  "MDB.INSERT": {
    arity: -5,
    flags: ["write", "denyoom", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(M), M: documents added",
    summary: "Adds documents, each with its _id, to a collection.",
    run: insert,
  },
  "MDB.UPDATE": {
    arity: -5,
    flags: ["write", "denyoom", "movablekeys"],
    keys: updated,
    since: "",
    complexity: "O(N) for each statement, N: documents of the collection, or those that an index selects",
    summary: "Changes documents by statements {q, u, multi, upsert, upsertId, arrayFilters, let, dialect}.",
    run: byVersion(true, update),
  },
  "MDB.DELETE": {
    arity: -5,
    flags: ["write", "movablekeys"],
    keys: updated,
    since: "",
    complexity: "O(N) for each statement, N: documents of the collection, or those that an index selects",
    summary: "Removes documents by statements {q, limit}.",
    run: byVersion(true, remove),
  },
  "MDB.FINDANDMODIFY": {
    arity: 4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: updated,
    since: "",
    complexity: "O(N), N: documents of the collection, or those that an index selects",
    summary: "Changes or removes one document, and returns it.",
    run: byVersion(true, findAndModify),
  },
  "MDB.FIND": {
    arity: 4,
    flags: ["readonly", "movablekeys"],
    keys: queried,
    since: "",
    complexity: "O(N), N: documents of the collection, or those that an index selects; O(N*log(N)) to sort",
    summary: "Returns the documents that {filter, sort, projection, skip, limit} selects.",
    run: find,
  },
  "MDB.COUNT": {
    arity: 4,
    flags: ["readonly", "movablekeys"],
    keys: queried,
    since: "",
    complexity: "O(N), N: documents of the collection, or those that an index selects",
    summary: "Counts the documents that {query, skip, limit} selects.",
    run: countDocuments,
  },
  "MDB.DISTINCT": {
    arity: 4,
    flags: ["readonly", "movablekeys"],
    keys: queried,
    since: "",
    complexity: "O(N), N: documents of the collection, or those that an index selects",
    summary: "Returns the distinct values of a field, {key, query}.",
    run: distinct,
  },
  "MDB.AGGREGATE": {
    arity: 4,
    flags: ["readonly", "movablekeys"],
    keys: aggregated,
    since: "",
    complexity: "O(N) for most stages, N: documents that reach the stage; O(N*log(N)) for $sort",
    summary: "Applies the stages of {pipeline} to a collection.",
    run: aggregate,
  },
  "MDB.CREATE": {
    arity: 3,
    flags: ["write", "denyoom", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(1)",
    summary: "Creates an empty collection.",
    run: create,
  },
  "MDB.CREATEINDEXES": {
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(N), N: documents of the collection",
    summary: "Creates indexes {key, name, unique, sparse, expireAfterSeconds}.",
    run: byVersion(true, createIndexes),
  },
  "MDB.DROPINDEXES": {
    arity: 4,
    flags: ["write", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(1)",
    summary: "Drops the index {index}, or all indexes except that of _id.",
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
    run: rename,
  },
  "MDB.DROP": {
    arity: 3,
    flags: ["write", "movablekeys"],
    keys: inserted,
    since: "",
    complexity: "O(1)",
    summary: "Drops a collection.",
    run: drop,
  },
  "MDB.DROPDATABASE": {
    arity: 2,
    flags: ["write", "movablekeys"],
    keys: ofDatabase("write"),
    since: "",
    complexity: "O(N), N: keys",
    summary: "Drops all collections of a database.",
    run: dropDatabase,
  },
});

/** The rows of the commands that behave differently before CLUSTER SEMANTICS 3. */
export const recordedCollections: readonly Command[] = collections.flatMap((command) => {
  const run = DIFFERING[command.name];
  return run === undefined ? [] : [{ ...command, run: byVersion(false, run) }];
});

/** Commands that did not exist before CLUSTER SEMANTICS 3, and their replies before it. */
export const laterCollections: ReadonlyMap<string, CommandFailure> = new Map(
  ["MDB.EXPLAIN", "MDB.RENAME", "MDB.STATS"].map((name) => [
    name,
    new CommandFailure(`ERR ${name} ${NEEDS_SEMANTICS_3}`),
  ]),
);
