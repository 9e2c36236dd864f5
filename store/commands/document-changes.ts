/** DOC.UPDATE and DOC.DELETE. Source: test/vectors/json; docs/json-documents.md says where the original is not followed. */
import type { ByteString } from "../../protocol/byte-string.js";
import { bytesOfText } from "../../protocol/byte-string.js";
import {
  isContainer,
  isListLike,
  type JsonContainer,
  JsonObject,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../protocol/json-value.js";
import { bulk, bulks, map, NIL, OK, type Reply } from "../../protocol/reply.js";
import { syntaxError } from "../errors.js";
import { isLooselyEqual } from "../loose-equality.js";
import type { Data, Typed } from "../mutators.js";
import type { Unit } from "../unit.js";
import { Document } from "../values/document.js";
import {
  documentOf,
  isSubset,
  jsonArgument,
  keyOf,
  namesOf,
  noEntry,
  notMembers,
  textOfEntry,
  valueOfEntry,
  wrongMembers,
} from "./document-entries.js";

/** What an update without an id is about. */
const FIRST_KEY = "0";

/**
 * `DOC.UPDATE document data [ID id]`: a list takes the place of all entries, an object that of an entry's members.
 * @returns the members' names before, and what has changed: nil for all, or the entry's key with its changed members
 */
export function updateDocument(data: Data, argv: readonly ByteString[]): Reply {
  if (argv.length > 3 && (argv.length !== 5 || argv[3]!.toUpperCase() !== "ID")) throw syntaxError();
  const entry = documentOf(data, argv[1]!);
  const given = jsonArgument(argv[2]!);
  if (isContainer(given) && isFilledList(given)) return replace(data, entry, memberValues(given));
  const key = keyOf(entry.value, argv[4] ?? FIRST_KEY);
  if (key === undefined) throw noEntry();
  const names = namesOf(entry.value) as readonly string[];
  if (!isContainer(given)) throw notMembers();
  if (!isSubset(memberNames(given), names)) throw wrongMembers(names, memberNames(given));
  const old = valueOfEntry(entry.value.get(key) as ByteString);
  if (!isContainer(old)) throw notMembers();
  const changed = changesOf(old, given);
  if (changed.names.length > 0) data.documentSet(entry, key, textOfEntry(merged(old, changed)));
  return answer(names, changed.names.length === 0 ? map([]) : map([bulk(key), bulk(textOfEntry(changed))]));
}

function isFilledList(container: JsonContainer): boolean {
  const names = memberNames(container);
  return names.length > 0 && isListLike(names);
}

function replace(data: Data, entry: Typed<Document>, values: readonly JsonValue[]): Reply {
  const first = entry.value.first;
  const before = first === undefined ? null : valueOfEntry(first[1]);
  const document = new Document(entry.value.born);
  for (const [place, value] of values.entries()) document.push(String(place), textOfEntry(value));
  data.put(entry.key, document, entry.expire);
  return answer(isContainer(before) ? memberNames(before) : [], NIL);
}

function answer(names: readonly string[], changed: Reply): Reply {
  return map([bulk("keys"), bulks(names.map(bytesOfText)), bulk("changed"), changed]);
}

/** Those of the given members that are not the same already. */
function changesOf(old: JsonContainer, given: JsonContainer): JsonObject {
  const changed = new JsonObject();
  for (const [at, name] of memberNames(given).entries()) {
    const value = memberValues(given)[at] as JsonValue;
    if (!isLooselyEqual(memberOf(old, name) ?? null, value)) changed.set(name, value);
  }
  return changed;
}

function merged(old: JsonContainer, { names, values }: JsonObject): JsonValue {
  const object = new JsonObject();
  for (const [at, name] of memberNames(old).entries()) object.set(name, memberValues(old)[at] as JsonValue);
  for (const [at, name] of names.entries()) object.set(name, values[at] as JsonValue);
  return old instanceof JsonObject || !isListLike(object.names) ? object : object.values;
}

/** `DOC.DELETE document id`. In memory later entries move up, as in the original; where ids were told for good they stay. */
export function deleteEntry(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const entry = documentOf(data, argv[1]!);
  const key = keyOf(entry.value, argv[2]!);
  if (key === undefined) throw noEntry();
  if (unit.seq !== undefined) data.documentRemove(entry, key);
  else if (entry.value.isPlain) data.documentTakeOut(entry, Number(key));
  else data.put(entry.key, entry.value.renumbered(key), entry.expire);
  return OK;
}

/** `DOC.EMPTY document`. @returns whether there is such a document */
export function empty(data: Data, argv: readonly ByteString[]): number {
  const entry = data.getAs(Document, argv[1]!);
  if (entry === undefined) return 0;
  const { size, next, born } = entry.value;
  if (size > 0 || next > 0) data.put(entry.key, new Document(born), entry.expire);
  return 1;
}
