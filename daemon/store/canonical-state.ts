/**
 * The complete state in one canonical form, which must be equal on all daemons. Keys are sorted. The
 * elements of a value keep their order, because it is part of the state.
 */

import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Database } from "./database.js";
import type { KeyRing } from "./key-ring.js";
import type { KeyRecord } from "./rights/key-record.js";
import { typeName } from "./values/value.js";

/** Returns a line for each key: database, key, type, expiry time, last writer, value; in the order of keys. */
export function canonicalState(database: Database): string[] {
  return database.keyspaces.flatMap((keyspace, db) =>
    [...keyspace.entries]
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ key, value, expire, writer }) =>
        JSON.stringify([
          db,
          key,
          typeName(value),
          expire,
          writer,
          typeof value === "string" ? value : value.canonical(),
        ]),
      ),
  );
}

/** Returns a line for each key of the ring, in the order in which they were added, which is part of the state. */
export function canonicalRing(ring: KeyRing): string[] {
  return [...ring.all()].map(canonicalRecord);
}

/**
 * Returns the same text for equal records. The labels of genesis keys are left out, because they come from each
 * daemon's own file names.
 */
export function canonicalRecord({ id, spki, acl: _, addedBy, label, ...others }: KeyRecord): string {
  const properties = addedBy === null ? others : { ...others, label };
  return JSON.stringify([
    hexOf(id),
    addedBy === null ? null : hexOf(addedBy),
    Object.entries(properties).sort(),
  ]);
}
