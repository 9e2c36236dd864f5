/**
 * The state in the forms that daemons compare: the complete state as canonical text, which must be equal on all
 * daemons, and digests of keys with their values, which are fast.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Database } from "./database.js";
import type { KeyRing } from "./key-ring.js";
import type { KeyEntry } from "./keyspace/keyspace.js";
import type { KeyRecord } from "./rights/key-record.js";
import { type Digest64, DigestMix } from "./values/digest-mix.js";
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

/** Returns a line for each key of the ring and each decided pattern, in the order in which they were added. */
export function canonicalRing(ring: KeyRing): string[] {
  return [...[...ring.all()].map(canonicalRecord), ...ring.patterns.all.map((one) => JSON.stringify(one))];
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

/** Returns the hash that distributes keys over buckets: unsigned, 32 bits. */
export function hashOfKey(db: number, key: ByteString, salt: number): number {
  const mix = new DigestMix(salt);
  mix.number(db);
  mix.text(key);
  return mix.digest.high;
}

/**
 * Returns the digest of a key's name, type, value, expiry time and last writer. It is fast and the same everywhere, but
 * does not protect against forgery. The digest of a large value covers only a part, which the salt selects, so each
 * comparison checks a different part. The consumer groups of a stream are
 * left out, because changes to them do not change the key's last writer.
 */
export function digestOfEntry(db: number, { key, value, expire, writer }: KeyEntry, salt: number): Digest64 {
  const mix = new DigestMix(salt);
  mix.number(db);
  mix.text(key);
  mix.number(expire);
  mix.text(writer);
  mix.text(typeName(value));
  if (typeof value === "string") mix.string(value);
  else {
    mix.begin(value.size);
    value.addTo(mix);
  }

  return mix.digest;
}
