/**
 * DOC.UPDATE, DOC.DELETE and DOC.EMPTY. Source: test/vectors/json; docs/json-documents.md describes the differences
 * from the original server.
 */

import { CommandFailure, custom, echoed } from "../../../../daemon/store/arguments/command-errors.js";
import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";
import { keyIn } from "../../../../protocol/document-replies.js";
import {
  isContainer,
  isListLike,
  type JsonContainer,
  JsonObject,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../../protocol/json/json-value.js";
import { writeJson } from "../../../../protocol/json/json-writer.js";
import { phpInteger, phpNumeric } from "../../../../protocol/json/php-number.js";
import { bulk, bulks, integer, map, NIL, OK, type Reply } from "../../../../protocol/reply.js";
import { workOf } from "../../../mongo/store/queries/mongo-failure.js";
import {
  expireEntry,
  pushEntry,
  removeEntry,
  setEntry,
  takeOutEntry,
} from "../keyspace/document-mutators.js";
import { Document, isNumberKey } from "../values/document.js";
import {
  checkRevision,
  documentToChange,
  hasNames,
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
import { numbersOf } from "./document-inserts.js";
import {
  CHOICE,
  hasOption,
  LIFETIME,
  type OptionPosition,
  type Options,
  onlyOptions,
} from "./document-options.js";
import { selectionOf } from "./document-reads.js";
import { isPresent, type Selection, selected } from "./document-selection.js";
import { withDocumentErrors } from "./entry-conditions.js";
import {
  checkDepth,
  createdBy,
  type EntryUpdate,
  entryUpdate,
  isOperators,
  type OperatorContext,
} from "./entry-operators.js";
import { isLooselyEqual } from "./loose-equality.js";

/** The entry that an update without an id changes. */
const FIRST_KEY = "0";

interface Update {
  readonly data: Data;
  readonly entry: Typed<Document>;
  readonly newData: JsonValue;
  readonly options: Options;
  readonly unit: Unit;
}

/** Cost in steps of each new text of an entry, in addition to the cost of its bytes. */
const ENTRY_STEPS = 16;
/** Cost in steps of each entry for reading it and creating its undo record. */
const CHANGE_STEPS = 130;

/** An entry after the update. */
interface Changed {
  readonly key: ByteString;
  /** The direct members of the entry that have changed. */
  readonly members: JsonObject;
  readonly text: ByteString;
}

const OPTIONS: OptionPosition = {
  from: 3,
  allowed: ["ID", "REVISION", "UPSERT", "KEY", "COUNT", ...CHOICE, ...LIFETIME],
  name: "doc.update",
};

/** Whether a call of DOC.UPDATE changes a limited number of the entries that meet conditions. */
export const updatesLimited = (argv: readonly ByteString[]): boolean => hasOption(argv, OPTIONS, "LIMIT");

/**
 * `DOC.UPDATE document data [ID id | QUERY json, WHERE json, SORT json, LIMIT offset count] [UPSERT [KEY key | COUNT]]
 * [REVISION revision] [EX seconds | … | PERSIST]`: a list replaces all entries; an object replaces members of entries,
 * or changes them with operators such as `$inc`. All entries are changed, or none.
 * @returns a map: `keys`, the previous names of the members; `changed`, the keys of the changed entries with their
 * changed members, or nil if all entries were replaced; `added`, the key of a new entry, if there is one
 */
export function updateDocument(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const options = onlyOptions(argv, { ...OPTIONS, at: unit.at });
  return claimed(options, unit, () => {
    const entry = documentToChange(data, argv[1]!);
    const request: Update = { data, entry, newData: jsonArgument(argv[2]!, AROUND_DATA), options, unit };
    return isChoosing(options) ? updateChosen(request) : updateOne(request);
  });
}

/**
 * Returns a call of DOC.UPDATE with the generated key of the entry that it has created, or null if it has created none,
 * or if its arguments determine the key.
 */
export function upsertWithKey(argv: readonly ByteString[], reply: Reply): readonly ByteString[] | null {
  const [name, key] = reply.kind === "map" ? reply.items.slice(ANSWER_ITEMS) : [];
  if (name === undefined || key?.kind !== "bulk") return null;
  return DETERMINING.some((word) => hasOption(argv, OPTIONS, word)) ? null : [...argv, "KEY", key.bytes];
}

/** Options by which the key of a new entry follows from the arguments, or from the document. */
const DETERMINING = ["ID", "KEY", "COUNT"] as const;

/** The number of objects around the data of an update in a request. */
const AROUND_DATA = 1;

function updateOne(update: Update): Reply {
  const { data, entry, newData, options } = update;
  const { id, revision, upsert = false, expire } = options;
  if (options.newKey !== undefined) throw custom("ERR KEY requires QUERY or WHERE: ID names the new entry");
  if (upsert && id === undefined) throw custom("ERR UPSERT requires ID, QUERY or WHERE");

  const key = keyOf(entry.value, id ?? FIRST_KEY);
  if (isContainer(newData) && replacesAll(newData, id)) {
    if (id !== undefined && key === undefined) throw noEntry();
    if (revision !== undefined)
      throw custom("ERR REVISION applies to one entry, but a list replaces all entries");
    return replace(data, entry, memberValues(newData), expire ?? undefined);
  }

  if (key === undefined && upsert && revision === undefined)
    return insertNew(update, newKeyOf(id as ByteString));
  if (key === undefined) throw noEntry();

  checkRevision(entry.value, key, revision);
  return apply(update, [key]);
}

function updateChosen(update: Update): Reply {
  const { data, entry, newData, options, unit } = update;
  if (options.id !== undefined)
    throw custom("ERR ID names one entry: it cannot be combined with QUERY, WHERE, SORT and LIMIT");
  if (options.revision !== undefined) throw custom("ERR REVISION applies to one entry: name it with ID");
  if (!(newData instanceof JsonObject) || (newData.names.length > 0 && isListLike(newData.names)))
    throw notMembers();
  if (options.newKey !== undefined && options.upsert !== true) throw custom("ERR KEY requires UPSERT");

  const keys = choiceOf(data, { document: entry.value, unit, options });
  const insertsNone = options.upsert !== true || unit.choice?.length === 0;
  if (keys.length > 0 || insertsNone) return apply(update, keys);

  const key = options.newKey ?? numbersOf(entry.value, unit, { count: 1, isCounted: options.counts })();
  return insertNew(update, key);
}

/** Changes entries. All results are computed before the first entry is changed. */
function apply(update: Update, keys: readonly ByteString[]): Reply {
  const { data, entry, newData, options, unit } = update;
  const names = namesOf(entry.value.first) ?? [];
  if (!isContainer(newData)) throw notMembers();

  const operate = isOperators(newData) ? entryUpdate(newData, contextOf(update)) : null;
  const results = keys.map((key) => {
    data.effort.work(CHANGE_STEPS);
    const result = changeOf({ document: entry.value, key, newData, operate, names });
    data.effort.produce(ENTRY_STEPS, result.text.length);
    return result;
  });
  const shown: Reply[] = [];
  for (const { key, members, text } of unit.omitsChanges ? [] : results) {
    if (options.expire !== undefined) expireEntry(data, entry, key, options.expire ?? undefined);
    if (members.names.length === 0) continue;
    setEntry(data, entry, key, text);
    shown.push(bulk(key), bulk(textOfEntry(members)));
  }

  return answer(names, map(shown));
}

const contextOf = ({ data, options, unit }: Update): OperatorContext => ({
  filter: options.where ?? new Map(),
  unit,
  effort: data.effort,
});

interface Change {
  readonly document: Document;
  readonly key: ByteString;
  readonly newData: JsonContainer;
  /** Applies the operators, or null if the data has no operators. */
  readonly operate: EntryUpdate | null;
  /** The members that entries may have. */
  readonly names: readonly string[];
}

function changeOf({ document, key, newData, operate, names }: Change): Changed {
  const old = valueOfEntry(document.get(key) as ByteString);
  if (operate !== null) {
    if (!isContainer(old)) throw notMembers();
    const value = operate(old);
    checkMembers(old, value, names);
    const members = differing(old, value);
    checkDepths(members);
    return { key, members, text: textOfEntry(value) };
  }

  if (!isSubset(memberNames(newData), names)) throw wrongMembers(names, memberNames(newData));
  if (!isContainer(old)) throw notMembers();

  const members = changesOf(old, newData);
  return { key, members, text: textOfEntry(merged(old, members)) };
}

/** Inserts a new entry: the data, or the result of its operators. */
function insertNew(update: Update, key: ByteString): Reply {
  const { data, entry, newData, options } = update;
  if (!isContainer(newData)) throw notMembers();

  const names = namesOf(entry.value.first);
  const value = isOperators(newData) ? createdBy(newData, contextOf(update)) : newData;
  checkDepths(value);
  if (names !== undefined && !hasNames(value, names)) throw wrongMembers(names, memberNames(value));

  const text = textOfEntry(value);
  if (entry.value.get(key) === undefined) pushEntry(data, entry, key, text);
  else setEntry(data, entry, key, text);
  if (options.expire !== undefined) expireEntry(data, entry, key, options.expire ?? undefined);
  return answer(names ?? [], map([bulk(key), bulk(text)]), key);
}

/** Checks that an entry with these direct members could be read again. @throws CommandFailure */
function checkDepths(members: JsonContainer): void {
  const values = memberValues(members);
  for (const [at, name] of memberNames(members).entries())
    checkDepth(values[at] as JsonValue, bytesOfText(name));
}

/**
 * Checks that operators removed no member from an entry, and added none that the document's entries do not have.
 * @throws CommandFailure
 */
function checkMembers(old: JsonContainer, value: JsonContainer, names: readonly string[]): void {
  const [before, after] = [old, value].map((one) => new Set(memberNames(one))) as [Set<string>, Set<string>];
  for (const name of after) if (!before.has(name) && !names.includes(name)) throw wrongMembers(names, [name]);
  for (const name of before) if (!after.has(name)) throw removedMember(name);
}

const removedMember = (name: string) =>
  custom(
    `ERR UPDATE: '${echoed(bytesOfText(name))}' cannot be removed from one entry, because all entries have the members of their document: DOC.MEMBER DROP (dropmember) removes it from all`,
  );

/** Returns the key that an id names if no entry has it; a number is converted to its canonical form. */
function newKeyOf(id: ByteString): ByteString {
  const number = phpNumeric(textOfBytes(id));
  const key = number === undefined ? undefined : phpInteger(number);
  return key === undefined ? id : String(key);
}

/**
 * Whether data replaces all entries. An empty list replaces them only with an id: without an id, the original server
 * changes nothing.
 */
function replacesAll(container: JsonContainer, id: ByteString | undefined): boolean {
  const names = memberNames(container);
  return names.length > 0 ? isListLike(names) : id !== undefined && !(container instanceof JsonObject);
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
  for (const [index, value] of values.entries()) document.push(String(index), textOfEntry(value), expire);
  data.put(entry.key, document, entry.expire);
  return answer(isContainer(before) ? memberNames(before) : [], NIL);
}

/** The number of items of an answer before `added`. */
const ANSWER_ITEMS = 4;

/** @param added the key of a new entry */
function answer(names: readonly string[], changed: Reply, added?: ByteString): Reply {
  const items = [bulk("keys"), bulks(names.map(bytesOfText)), bulk("changed"), changed];
  return map(added === undefined ? items : [...items, bulk("added"), bulk(added)]);
}

/** Returns the new members that differ from the old ones. */
function changesOf(old: JsonContainer, newData: JsonContainer): JsonObject {
  const changed = new JsonObject();
  for (const [at, name] of memberNames(newData).entries()) {
    const value = memberValues(newData)[at] as JsonValue;
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

/** Returns the entry's direct members that have changed. */
function differing(old: JsonContainer, result: JsonContainer): JsonObject {
  const different = new JsonObject();
  const values = memberValues(result);
  for (const [at, name] of memberNames(result).entries()) {
    const value = values[at] as JsonValue;
    const before = memberOf(old, name);
    if (before !== value && (before === undefined || writeJson(before) !== writeJson(value)))
      different.set(name, value);
  }
  return different;
}

const CONDITIONAL: OptionPosition = { from: 2, allowed: CHOICE, name: "doc.delete" };

/** Words that begin a condition in the position of an id. */
const CONDITIONS: ReadonlySet<ByteString> = new Set(["QUERY", "WHERE"]);

/**
 * `DOC.DELETE document id [REVISION revision]`, `DOC.DELETE document [QUERY json, WHERE json, SORT json, LIMIT offset
 * count]`. On a daemon without a timeline, the entries after a deleted one move up, and their ids decrease, as in the
 * original server. On a daemon with a timeline, the ids of entries are permanent.
 * @returns OK, or the number of entries that the conditions selected
 */
export function deleteEntries(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  return isCondition(argv) ? deleteChosen(data, argv, unit) : deleteOne(data, argv, unit);
}

/** Whether a condition begins in the position of an id. An id may be any word, even the name of a condition. */
function isCondition([, , word = "", next]: readonly ByteString[]): boolean {
  return CONDITIONS.has(word.toUpperCase()) && next !== undefined && next.toUpperCase() !== "REVISION";
}

/** Whether a call of DOC.DELETE removes a limited number of the entries that meet conditions. */
export const deletesLimited = (argv: readonly ByteString[]): boolean =>
  isCondition(argv) && hasOption(argv, CONDITIONAL, "LIMIT");

function deleteChosen(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const options = onlyOptions(argv, CONDITIONAL);
  return claimed(options, unit, () => {
    const entry = documentToChange(data, argv[1]!);
    const keys = choiceOf(data, { document: entry.value, unit, options });
    const [key] = keys;
    if (unit.omitsChanges) return integer(keys.length);
    if (keys.length === 1) removeOne(data, entry, key as ByteString, unit);
    else if (keys.length > 0) removeMany({ data, entry, keys, unit });
    return integer(keys.length);
  });
}

function deleteOne(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const { revision } = onlyOptions(argv, { from: 3, allowed: ["REVISION"], name: "doc.delete" });
  const entry = documentToChange(data, argv[1]!);
  const key = keyOf(entry.value, argv[2]!);
  if (key === undefined) throw noEntry();
  checkRevision(entry.value, key, revision);
  removeOne(data, entry, key, unit);
  return OK;
}

function removeOne(data: Data, entry: Typed<Document>, key: ByteString, { seq }: Unit): void {
  if (seq !== undefined) removeEntry(data, entry, key);
  else if (entry.value.isPlain) takeOutEntry(data, entry, Number(key));
  else data.put(entry.key, renumbered(entry.value, new Set([key])), entry.expire);
}

interface Removal {
  readonly data: Data;
  readonly entry: Typed<Document>;
  readonly keys: readonly ByteString[];
  readonly unit: Unit;
}

/** Cost in steps of each entry that is removed, or copied because many entries are removed. */
const REMOVED_STEPS = 14;

/**
 * Removes several entries: one by one if the document does not close its holes meanwhile, and otherwise in one change.
 * If the document closed its holes between separate changes, undoing these changes would take time quadratic in their
 * number.
 */
function removeMany({ data, entry, keys, unit: { seq } }: Removal): void {
  const { value } = entry;
  const isOneByOne = seq !== undefined && value.staysOpen(keys.length);
  data.effort.work(REMOVED_STEPS * (isOneByOne ? keys.length : value.size));
  if (seq === undefined) data.put(entry.key, renumbered(value, new Set(keys)), entry.expire);
  else if (isOneByOne) for (const key of keys) removeEntry(data, entry, key);
  else data.put(entry.key, remaining(value, new Set(keys)), entry.expire);
}

/** Returns a copy of a document without the given entries. */
function remaining(document: Document, without: ReadonlySet<ByteString>): Document {
  const copy = document.emptied();
  for (const [key, text] of document.entries())
    if (!without.has(key)) copy.push(key, text, document.expireOf(key));
  copy.raiseNext(document.next);
  return copy;
}

/** Returns a copy of a document without the given entries, in which the numeric keys count from 0 again. */
function renumbered(document: Document, without: ReadonlySet<ByteString>): Document {
  const copy = document.emptied();
  let number = 0;
  for (const [key, text] of document.entries()) {
    if (!without.has(key)) copy.push(isNumberKey(key) ? String(number++) : key, text, document.expireOf(key));
  }
  return copy;
}

/** `DOC.EMPTY document`. @returns whether the document exists already */
export function empty(data: Data, argv: readonly ByteString[]): number {
  const entry = data.getAs(Document, argv[1]!);
  if (entry === undefined) return 0;
  const { size, next } = entry.value;
  if (size > 0 || next > 0) data.put(entry.key, entry.value.emptied(), entry.expire);
  return 1;
}

/** Cost in steps of each entry that is compared with conditions. */
const LOOK_STEPS = 6;

/** Whether the options select entries by conditions. */
function isChoosing({ query, where, sort, limit }: Options): boolean {
  return (query ?? where ?? sort ?? limit) !== undefined;
}

/** A write that selects entries by conditions. */
interface Choosing {
  readonly document: Document;
  readonly unit: Unit;
  readonly options: Options;
}

/** The first element of a recorded choice: the keys of the selected entries follow, or the error. */
const [ENTRIES, FAILED] = ["entries", "error"] as const;

/**
 * Runs a command whose options may select entries. With LIMIT it is a claim: if a daemon has recorded that it failed,
 * it fails with the same error. Source: docs/decisions/0066.
 * @throws CommandFailure
 */
function claimed<Result>({ limit }: Options, { choice, taken }: Unit, run: () => Result): Result {
  if (limit === undefined) return run();
  const [how, text = ""] = choice ?? [];
  if (how === FAILED) throw new CommandFailure(text);
  try {
    return run();
  } catch (failure) {
    if (taken !== undefined && failure instanceof CommandFailure)
      taken.splice(0, taken.length, FAILED, failure.reply.text);
    throw failure;
  }
}

/**
 * Returns the keys of the selected entries, in the requested order. If a daemon has recorded a selection with LIMIT,
 * these are the entries of it that are still there and still meet the conditions; an upsert that finds none of them
 * selects again. Source: docs/json-documents.md "Changing and deleting by condition".
 */
function choiceOf({ effort }: Data, { document, unit, options }: Choosing): readonly ByteString[] {
  const selection = selectionOf(options, workOf(effort));
  const { at, choice, taken } = unit;
  const isClaim = options.limit !== undefined;
  const cost = Math.max(LOOK_STEPS, selection.tests);
  if (isClaim && choice !== undefined) {
    const [, ...keys] = choice;
    effort.work(cost * keys.length);
    const still = withDocumentErrors("WHERE", () => stillSelected(document, at, selection, new Set(keys)));
    if (still.length > 0 || options.upsert !== true || choice.length === 0) return still;
  }
  effort.work(cost * document.size);
  const { found: entries } = withDocumentErrors("WHERE", () => selected(document, at, selection));
  const keys = entries.texts.map((_, index) => keyIn(entries, index));
  if (isClaim && taken !== undefined) {
    taken.push(ENTRIES);
    for (const key of keys) taken.push(key);
  }

  return keys;
}

function stillSelected(
  document: Document,
  at: number,
  { test }: Selection,
  keys: ReadonlySet<ByteString>,
): readonly ByteString[] {
  return [...keys].filter((key) => {
    const text = document.get(key);
    return text !== undefined && isPresent(document, at, key) && test(text);
  });
}
