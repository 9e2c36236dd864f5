/**
 * Functions that the commands on documents share: parsing of arguments, finding of entries, and the errors, which have the original
 * server's wording. Source: test/vectors/json; docs/json-documents.md.
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { MalformedJson, parseForeignJson, parseJson } from "../../../protocol/json/json-reader.js";
import {
  isContainer,
  type JsonContainer,
  type JsonValue,
  memberNames,
} from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import { phpInteger, phpNumeric } from "../../../protocol/json/php-number.js";
import { CommandFailure, custom, echoed } from "../../arguments/errors.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import { Document } from "../../values/documents/document.js";

const NAMES_SHOWN_BYTES_MAX = 4096;

const noDocument = () => custom("ERR Document provided does not exist.");
export const noEntry = () => custom("ERR Key:id provided does not exist in document.");
export const notMembers = () => custom("ERR Data must be provided in array.");

/** @param asked  names that an entry must have @param given  names that it has */
export function wrongMembers(asked: readonly string[], given: readonly string[]): CommandFailure {
  const [first, second] = [asked, given].map((names) =>
    echoed(bytesOfText(names.join(", ")), NAMES_SHOWN_BYTES_MAX),
  );
  return custom(`ERR The required keys for this document are: ${first}, received: ${second}.`);
}

/** @throws CommandFailure  WRONGTYPE, or there is no such document */
export function documentOf(data: Data, name: ByteString): Typed<Document> {
  const entry = data.getAs(Document, name);
  if (entry === undefined) throw noDocument();
  return entry;
}

/** The same, for commands that change it: expired entries are removed first. */
export function documentToChange(data: Data, name: ByteString): Typed<Document> {
  const entry = documentOf(data, name);
  data.documents.purge(entry);
  return entry;
}

/** Parses an argument that is a JSON text. @throws CommandFailure  names the error */
export function jsonArgument(bytes: ByteString): JsonValue {
  const text = textOfBytes(bytes);
  if (text.includes("\ufffd") && bytesOfText(text) !== bytes) throw custom("ERR not UTF-8");
  try {
    return parseForeignJson(text);
  } catch (problem) {
    if (problem instanceof MalformedJson) throw new CommandFailure(`ERR ${problem.message}`);
    throw problem;
  }
}

/** Returns an entry as it is stored. */
export function textOfEntry(value: JsonValue): ByteString {
  return bytesOfText(writeJson(value));
}

/** @param text  made by `textOfEntry` */
export function valueOfEntry(text: ByteString): JsonValue {
  return parseJson(textOfBytes(text));
}

/**
 * Returns the names of a document's first entry, which all entries share; undefined: there is none. @throws CommandFailure  it has no
 * members
 */
export function namesOf(
  first: readonly [key: ByteString, text: ByteString] | undefined,
): readonly string[] | undefined {
  if (first === undefined) return undefined;
  const value = valueOfEntry(first[1]);
  if (!isContainer(value)) throw notMembers();
  return memberNames(value);
}

/** The key of the entry that an id names: its key itself, or a number in any form, cut; undefined: there is none. */
export function keyOf(document: Document, id: ByteString): ByteString | undefined {
  if (document.get(id) !== undefined) return id;
  const number = phpNumeric(textOfBytes(id));
  const key = number === undefined ? undefined : phpInteger(number);
  return key !== undefined && document.get(String(key)) !== undefined ? String(key) : undefined;
}

/** Whether two entries have the same members, in whatever order. */
export function hasNames(container: JsonContainer, names: readonly string[]): boolean {
  const given = memberNames(container);
  return given.length === names.length && isSubset(given, names);
}

export function isSubset(given: readonly string[], names: readonly string[]): boolean {
  if (names.length < SEARCHED_MAX) return given.every((name) => names.includes(name));
  const known = new Set(names);
  return given.every((name) => known.has(name));
}

/** For more names a table is made first. */
const SEARCHED_MAX = 16;
