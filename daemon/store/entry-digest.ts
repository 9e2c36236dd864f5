/**
 * A digest of one key with its value, with which daemons compare their states. It is fast and the same everywhere, but
 * does not protect against forgery. The digest of a large value covers only a part, which the salt selects, so each
 * comparison checks a different part.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import type { Entry } from "./keyspace/keyspace.js";
import { type Digest64, DigestMix } from "./values/digest-mix.js";
import { typeName } from "./values/value.js";

/** Returns the hash that distributes keys over buckets: unsigned, 32 bits. */
export function hashOfKey(db: number, key: ByteString, salt: number): number {
  const mix = new DigestMix(salt);
  mix.number(db);
  mix.text(key);
  return mix.digest.high;
}

/**
 * Returns the digest of a key's name, type, value, expiry time and last writer. The consumer groups of a stream are
 * left out, because changes to them do not change the key's last writer.
 */
export function digestOfEntry(db: number, { key, value, expire, writer }: Entry, salt: number): Digest64 {
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
