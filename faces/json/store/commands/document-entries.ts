/**
 * Functions that the commands on documents share: parsing arguments, finding entries, their revisions, and the errors,
 * in the original server's wording. Source: test/vectors/json; docs/json-documents.md.
 */

import { CommandFailure, custom, echoed } from "../../../../daemon/store/arguments/command-errors.js";
import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import { murmurHash64A } from "../../../../daemon/store/values/tables/murmur-hash.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";
import {
  JSON_DEPTH_MAX,
  MalformedJson,
  parseForeignJson,
  parseJson,
} from "../../../../protocol/json/json-reader.js";
import {
  isContainer,
  type JsonContainer,
  type JsonValue,
  memberNames,
} from "../../../../protocol/json/json-value.js";
import { writeJson } from "../../../../protocol/json/json-writer.js";
import { phpInteger, phpNumeric } from "../../../../protocol/json/php-number.js";
import { purgeEntries } from "../keyspace/document-mutators.js";
import { Document } from "../values/document.js";

const NAMES_SHOWN_BYTES_MAX = 4096;

const noDocument = () => custom("ERR Document provided does not exist.");
export const noEntry = () => custom("ERR Key:id provided does not exist in document.");
export const notMembers = () => custom("ERR Data must be provided in array.");

/** @param required names of the members that an entry must have @param actual names of the members that it has */
export function wrongMembers(required: readonly string[], actual: readonly string[]): CommandFailure {
  const [first, second] = [required, actual].map((names) =>
    echoed(bytesOfText(names.join(", ")), NAMES_SHOWN_BYTES_MAX),
  );
  return custom(`ERR The required keys for this document are: ${first}, received: ${second}.`);
}

/** @throws CommandFailure WRONGTYPE, or if the document does not exist */
export function documentOf(data: Data, name: ByteString): Typed<Document> {
  const entry = data.getAs(Document, name);
  if (entry === undefined) throw noDocument();
  return entry;
}

/** Returns a document for a command that changes it, after removing expired entries. */
export function documentToChange(data: Data, name: ByteString): Typed<Document> {
  const entry = documentOf(data, name);
  purgeEntries(data, entry);
  return entry;
}

/** The number of lists and objects around an entry in a request that inserts it, and in an answer that contains it. */
export const AROUND_ENTRY = 2;
/** Maximum nesting of lists and objects in an entry: what a request can contain, and a client can read. */
export const ENTRY_DEPTH_MAX = JSON_DEPTH_MAX - AROUND_ENTRY;

/**
 * Parses an argument that is a JSON text.
 * @param around the number of lists and objects around the argument in a request
 * @throws CommandFailure that describes the error
 */
export function jsonArgument(bytes: ByteString, around = 0): JsonValue {
  const text = textOfBytes(bytes);
  if (text.includes("\ufffd") && bytesOfText(text) !== bytes) throw custom("ERR not UTF-8");
  try {
    return parseForeignJson(text, around);
  } catch (problem) {
    if (problem instanceof MalformedJson) throw new CommandFailure(`ERR ${problem.message}`);
    throw problem;
  }
}

/** Returns an entry in its stored form. */
export function textOfEntry(value: JsonValue): ByteString {
  return bytesOfText(writeJson(value));
}

/** @param text the text as `textOfEntry` returns it */
export function valueOfEntry(text: ByteString): JsonValue {
  return parseJson(textOfBytes(text));
}

/**
 * Returns the names of the members that all entries of a document have, taken from the first entry, or undefined if the
 * document is empty.
 * @throws CommandFailure if the first entry has no members
 */
export function namesOf(
  first: readonly [key: ByteString, text: ByteString] | undefined,
): readonly string[] | undefined {
  if (first === undefined) return undefined;
  const value = valueOfEntry(first[1]);
  if (!isContainer(value)) throw notMembers();
  return memberNames(value);
}

/**
 * Returns the key of the entry that an id names, or undefined if there is no such entry. The id is the key itself, or a
 * number in any notation, whose fraction is ignored.
 */
export function keyOf(document: Document, id: ByteString): ByteString | undefined {
  if (document.get(id) !== undefined) return id;
  const number = phpNumeric(textOfBytes(id));
  const key = number === undefined ? undefined : phpInteger(number);
  return key !== undefined && document.get(String(key)) !== undefined ? String(key) : undefined;
}

/** Whether an entry has exactly these members, in any order. */
export function hasNames(container: JsonContainer, names: readonly string[]): boolean {
  const actual = memberNames(container);
  return actual.length === names.length && isSubset(actual, names);
}

export function isSubset(subset: readonly string[], names: readonly string[]): boolean {
  if (names.length < SEARCHED_MAX) return subset.every((name) => names.includes(name));
  const nameSet = new Set(names);
  return subset.every((name) => nameSet.has(name));
}

/** Maximum number of names that are searched linearly; for more, a set is built first. */
const SEARCHED_MAX = 16;

/** The seed of revisions. It must never change, because clients store revisions. */
const SEED = 0x6a736f6e;

/**
 * Returns the revision of an entry, 16 hexadecimal digits: a write that names a revision fails if the entry has changed
 * since. It is computed from the entry's text, so it is the same on all daemons, even if entries arrived late, and
 * takes no memory. Source: docs/json-documents.md "Revisions".
 */
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
