/** Determines from the bytes of MDB.* commands which keys they may touch. */

import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import type { KeySpec, Permission, Touch } from "../../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { documentOf } from "../queries/command-fields.js";
import { collectionsIn } from "./aggregation-pipeline.js";
import { collectionKey, databaseBeginning, PREFIX } from "./collection-names.js";

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
export const inserted = named("write", "W");
export const updated = named("write", "RW");
export const queried = named("read", "R");

const beginning = (access: Touch["access"], start: ByteString): Touch => ({
  db: null,
  key: null,
  access,
  beginning: start,
});

/** `command db`: all collections of the database. */
export const ofDatabase =
  (access: Touch["access"]): KeySpec =>
  (argv: readonly ByteString[]) => [beginning(access, databaseBeginning(argv[1] ?? ""))];

/** `MDB.STATS db [collection]`. */
export const measured: KeySpec = (argv: readonly ByteString[]) => [
  argv.length > 2 ? touch(argv, "read", "R") : beginning("read", databaseBeginning(argv[1] ?? "")),
];

/** `MDB.RENAME db collection db collection drops` */
export const renamed: KeySpec = (argv: readonly ByteString[]) => [
  touch(argv, "write", "RW"),
  { db: null, key: collectionKey(argv[3] ?? "", argv[4] ?? ""), access: "write", needs: "RW" },
];

export const ofAllDatabases: KeySpec = () => [beginning("read", PREFIX)];

/** `MDB.AGGREGATE db collection spec`: the collection, and those that its $lookup stages read. */
export const aggregated: KeySpec = (argv: readonly ByteString[]) => [
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
