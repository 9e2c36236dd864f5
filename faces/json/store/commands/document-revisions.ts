/**
 * Revisions of entries: a write that names a revision fails if the entry has changed since. A revision is computed from
 * the entry's text, so it is the same on all daemons, even if entries arrived late, and takes no memory. Source:
 * docs/json-documents.md "Revisions".
 */

import { custom, echoed } from "../../../../daemon/store/arguments/command-errors.js";
import { murmurHash64A } from "../../../../daemon/store/values/tables/murmur-hash.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Document } from "../values/document.js";

/** The seed of revisions. It must never change, because clients store revisions. */
const SEED = 0x6a736f6e;

/** Returns 16 hexadecimal digits. */
export function revisionOf(text: ByteString): ByteString {
  const { hi, lo } = murmurHash64A(text, SEED);
  return [hi, lo].map((half) => half.toString(16).padStart(8, "0")).join("");
}

/** @param expected undefined accepts any revision @throws CommandFailure if the entry has another revision */
export function checkRevision(document: Document, key: ByteString, expected: ByteString | undefined): void {
  if (expected === undefined) return;
  const actual = revisionOf(document.get(key) as ByteString);
  if (actual !== expected)
    throw custom(
      `REVISION The entry ${echoed(key)} has revision ${actual}, not ${echoed(expected)}: read it again, then change it.`,
    );
}
