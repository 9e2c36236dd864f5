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
import { custom } from "../errors.js";
import { isLooselyEqual } from "../loose-equality.js";
import type { Data, Typed } from "../mutators.js";
import type { Unit } from "../unit.js";
import { Document, isNumberKey } from "../values/document.js";
import {
  documentToChange,
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
import { LIFETIME, onlyOptions } from "./document-options.js";
import { checkRevision } from "./document-revisions.js";

/** What an update without an id is about. */
const FIRST_KEY = "0";

/**
 * `DOC.UPDATE document data [ID id] [REVISION revision] [EX seconds | … | PERSIST]`: a list takes the place of all entries, an object that of an entry's members.
 * @returns the members' names before, and what has changed: nil for all, or the entry's key with its changed members
 */
export function updateDocument(data: Data, argv: readonly ByteString[], { at }: Unit): Reply {
  const { id, revision, expire } = onlyOptions(argv, {
    from: 3,
    allowed: ["ID", "REVISION", ...LIFETIME],
    name: "doc.update",
    at,
  });
  const entry = documentToChange(data, argv[1]!);
  const given = jsonArgument(argv[2]!);
  if (isContainer(given) && isFilledList(given)) {
    if (revision !== undefined)
      throw custom("ERR REVISION is one entry's: a list takes the place of all entries");
    return replace(data, entry, memberValues(given), expire ?? undefined);
  }
  const key = keyOf(entry.value, id ?? FIRST_KEY);
  if (key === undefined) throw noEntry();
  checkRevision(entry.value, key, revision);
  const names = namesOf(entry.value.first) as readonly string[];
  if (!isContainer(given)) throw notMembers();
  if (!isSubset(memberNames(given), names)) throw wrongMembers(names, memberNames(given));
  const old = valueOfEntry(entry.value.get(key) as ByteString);
  if (!isContainer(old)) throw notMembers();
  const changed = changesOf(old, given);
  if (changed.names.length > 0) data.documents.set(entry, key, textOfEntry(merged(old, changed)));
  if (expire !== undefined) data.documents.expire(entry, key, expire ?? undefined);
  return answer(names, changed.names.length === 0 ? map([]) : map([bulk(key), bulk(textOfEntry(changed))]));
}

function isFilledList(container: JsonContainer): boolean {
  const names = memberNames(container);
  return names.length > 0 && isListLike(names);
}

function replace(
  data: Data,
  entry: Typed<Document>,
  values: readonly JsonValue[],
  expire: number | undefined,
): Reply {
  const first = entry.value.first;
  const before = first === undefined ? null : valueOfEntry(first[1]);
  const document = entry.value.emptied();
  for (const [place, value] of values.entries()) document.push(String(place), textOfEntry(value), expire);
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

/** `DOC.DELETE document id [REVISION revision]`. In memory later entries move up, as in the original; where ids were told for good they stay. */
export function deleteEntry(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const { revision } = onlyOptions(argv, { from: 3, allowed: ["REVISION"], name: "doc.delete" });
  const entry = documentToChange(data, argv[1]!);
  const key = keyOf(entry.value, argv[2]!);
  if (key === undefined) throw noEntry();
  checkRevision(entry.value, key, revision);
  if (unit.seq !== undefined) data.documents.remove(entry, key);
  else if (entry.value.isPlain) data.documents.takeOut(entry, Number(key));
  else data.put(entry.key, renumbered(entry.value, key), entry.expire);
  return OK;
}

/** The same entries without one, keys that are numbers counted from 0 anew. */
function renumbered(document: Document, without: ByteString): Document {
  const copy = document.emptied();
  let number = 0;
  for (const [key, text] of document.entries()) {
    if (key !== without) copy.push(isNumberKey(key) ? String(number++) : key, text, document.expireOf(key));
  }
  return copy;
}

/** `DOC.EMPTY document`. @returns whether there is such a document */
export function empty(data: Data, argv: readonly ByteString[]): number {
  const entry = data.getAs(Document, argv[1]!);
  if (entry === undefined) return 0;
  const { size, next } = entry.value;
  if (size > 0 || next > 0) data.put(entry.key, entry.value.emptied(), entry.expire);
  return 1;
}
