/**
 * Documents: tables of JSON entries, like those of the original server, a replicated memory database whose clients
 * faces/json serves. The replies here are in Redis's form; the error texts are those of the original server.
 * Source: test/vectors/json; docs/json-documents.md.
 */

import { custom, wrongType } from "../../../../daemon/store/arguments/command-errors.js";
import { eachChangeEvent } from "../../../../daemon/store/events/event-rules.js";
import type { EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import { isExpired } from "../../../../daemon/store/keyspace/keyspace.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import { type FamilyGroup, family } from "../../../../daemon/store/rows/command-row.js";
import { currentDb, read, update, write } from "../../../../daemon/store/rows/key-spec.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";
import {
  isContainer,
  type JsonContainer,
  JsonObject,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../../protocol/json/json-value.js";
import { finishReply, SteppedReply } from "../../../../protocol/lazy-replies.js";
import { array, bulk, bulks, integer, OK, ONE, type Reply, ZERO } from "../../../../protocol/reply.js";
import { STEP_ITEMS, sortedInSteps } from "../../../../protocol/steps.js";
import { setEntry, setIndexed } from "../keyspace/document-mutators.js";
import { Document } from "../values/document.js";
import {
  deleteEntries,
  deletesLimited,
  empty,
  updateDocument,
  updatesLimited,
  upsertWithKey,
} from "./document-changes.js";
import {
  documentOf,
  documentToChange,
  jsonArgument,
  namesOf,
  noEntry,
  notMembers,
  textOfEntry,
  valueOfEntry,
} from "./document-entries.js";
import { insert, insertWithKeys } from "./document-inserts.js";
import { fieldArgument } from "./document-options.js";
import { count, get } from "./document-reads.js";
import { firstPresent, presentEntries } from "./document-selection.js";
import { checkDepth } from "./entry-operators.js";

/**
 * Maximum number of keys in a database for which all documents are read in one step. With more keys, the documents are
 * read in several steps, between which other commands may run.
 */
const UNSLICED_KEYS_MAX = 10_000;

const DOCUMENT: FamilyGroup = { name: "document", countsOwnSteps: true };

export const documents = family(DOCUMENT, {
  "DOC.COUNT": {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "",
    complexity:
      "O(1), with QUERY or WHERE O(N), N: entries; with an index O(log(N)+M), M: entries that it selects",
    summary: "Counts the entries of a document, or those that match.",
    reply: "map",
    run: count,
  },
  "DOC.CREATE": {
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "",
    complexity: "O(1)",
    summary: "Creates a document without entries.",
    events: eachChangeEvent("doc.create"),
    run: create,
  },
  "DOC.DELETE": {
    arity: -3,
    flags: ["write"],
    keys: [update(1)],
    since: "",
    complexity: "O(N), N: entries; for conditions O(log(N)+M), if an index selects M entries",
    summary: "Removes an entry, if it has the named revision, or all entries that meet conditions.",
    events: eachChangeEvent("doc.delete"),
    isClaim: deletesLimited,
    run: deleteEntries,
  },
  "DOC.DROP": {
    arity: 2,
    flags: ["write"],
    keys: [write(1)],
    since: "",
    complexity: "O(1)",
    summary: "Removes a document.",
    events: eachChangeEvent("doc.drop"),
    run: drop,
  },
  "DOC.EMPTY": {
    arity: 2,
    flags: ["write"],
    keys: [write(1)],
    since: "",
    complexity: "O(1)",
    summary: "Removes all entries of a document, but not the document.",
    events: eachChangeEvent("doc.empty"),
    run: (data, argv) => integer(empty(data, argv)),
  },
  "DOC.GET": {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "",
    complexity:
      "O(N), N: entries; with ID O(log(N)); with an index O(log(N)+M), M: entries that it selects; SORT adds O(M*log(M))",
    summary:
      "Returns a document's entries with their ids: all, one, or those that match; sorted or with only some members on request.",
    reply: "entries",
    run: get,
  },
  "DOC.GETALL": {
    arity: 1,
    flags: ["readonly"],
    keys: currentDb("read"),
    since: "",
    complexity: "O(N), N: keys of the database, and entries of all documents",
    summary: "Returns all documents of the database with their entries, the oldest first.",
    reply: "map-of-entries",
    run: getAll,
  },
  "DOC.GETKEYS": {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "",
    complexity: "O(1)",
    summary:
      "Returns the id of a document's first entry, and the names of its members, which all entries share.",
    run: getKeys,
  },
  "DOC.INDEX|CREATE": {
    arity: 4,
    flags: ["write", "denyoom"],
    keys: [write(2)],
    since: "",
    complexity: "O(1); the first read that uses it O(N*log(N)), N: entries",
    summary: "Creates an index of a member of a document's entries. Returns 0 if it existed.",
    events: eachChangeEvent("doc.index-create"),
    run: createIndex,
  },
  "DOC.INDEX|DROP": {
    arity: 4,
    flags: ["write"],
    keys: [write(2)],
    since: "",
    complexity: "O(1)",
    summary: "Drops the index of a member. Returns 0 if there was none.",
    events: eachChangeEvent("doc.index-drop"),
    run: dropIndex,
  },
  "DOC.INDEX|LIST": {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [read(2)],
    since: "",
    complexity: "O(N), N: indexes of the document",
    summary: "Returns the names of the members that have an index.",
    run: listIndexes,
  },
  "DOC.INSERT": {
    arity: -2,
    flags: ["write", "denyoom"],
    keys: [update(1)],
    since: "",
    complexity: "O(M), M: entries added",
    summary:
      "Adds entries to a document: all of them, or none. The daemon numbers them, or the command names their keys; they may expire.",
    events: eachChangeEvent("doc.insert"),
    recordedAs: insertWithKeys,
    run: insert,
  },
  "DOC.LIST": {
    arity: 1,
    flags: ["readonly"],
    keys: currentDb("read"),
    since: "",
    complexity: "O(N), N: keys of the database",
    summary: "Returns the names of all documents of the database, the oldest first.",
    run: list,
  },
  "DOC.MEMBER|ADD": {
    arity: 5,
    flags: ["write", "denyoom"],
    keys: [update(2)],
    since: "",
    complexity: "O(N), N: entries",
    summary: "Adds a member to all entries of a document that do not have it yet.",
    events: eachChangeEvent("doc.member-add"),
    run: addMember,
  },
  "DOC.MEMBER|DROP": {
    arity: 4,
    flags: ["write"],
    keys: [update(2)],
    since: "",
    complexity: "O(N), N: entries",
    summary: "Removes a member from all entries of a document.",
    events: eachChangeEvent("doc.member-drop"),
    run: dropMember,
  },
  "DOC.UPDATE": {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [update(1)],
    since: "",
    complexity:
      "O(1), with a list O(M), M: its entries; for conditions O(N), N: entries, or as for DOC.GET with an index",
    summary:
      "Changes members of an entry, if it has the named revision, or of all entries that meet conditions; or replaces all entries of a document.",
    events: eachChangeEvent("doc.update"),
    reply: "map-of-changes",
    recordedAs: upsertWithKey,
    isClaim: updatesLimited,
    run: updateDocument,
  },
});

function create(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const entry = data.get(argv[1]!);
  if (entry !== undefined && !(entry.value instanceof Document)) throw wrongType();
  if (entry !== undefined) throw custom("ERR Document provided already exist.");
  data.put(argv[1]!, new Document(bornOf(unit)));
  return OK;
}

/** Returns a value that increases in the order in which units are applied. */
function bornOf({ at, seq = 0, id, step = 0 }: Unit): ByteString {
  const date = at.toString(16).padStart(14, "0");
  return `${date}${seq.toString(16).padStart(4, "0")}${id}${step.toString(16).padStart(8, "0")}`;
}

/** Drops a document. If the document does not exist, the error says the opposite, as in the original server. */
function drop(data: Data, argv: readonly ByteString[]): Reply {
  if (data.getAs(Document, argv[1]!) === undefined) throw custom("ERR Document provided already exist.");
  data.delete(argv[1]!);
  return OK;
}

/** The date and the database of a unit, copied for replies in steps, because listeners reuse the unit object. */
interface UnitContext {
  readonly at: number;
  readonly db: number;
}

function list(data: Data, _: readonly ByteString[], { at, db }: Unit): Reply {
  return soonSettled(data, new SteppedReply("array", named(documentsOf(data, { at, db }))));
}

function* named(work: Generator<void, readonly ByteString[]>): Generator<void, readonly Reply[]> {
  const names: Reply[] = [];
  for (const key of yield* work) {
    names.push(bulk(key));
    if (names.length % STEP_ITEMS === 0) yield;
  }
  return names;
}

function getAll(data: Data, _: readonly ByteString[], { at, db }: Unit): Reply {
  const { effort } = data;
  return soonSettled(
    data,
    new SteppedReply("map", allOf(documentsOf(data, { at, db }), effort, data, { at, db })),
  );
}

/** Completes the reply immediately if that takes little time, so that no other command runs between its steps. */
function soonSettled(data: Data, reply: Reply): Reply {
  return data.keyspace().size <= UNSLICED_KEYS_MAX ? finishReply(reply) : reply;
}

function* allOf(
  work: Generator<void, readonly ByteString[]>,
  effort: EffortBudget,
  data: Data,
  { at, db }: UnitContext,
): Generator<void, readonly Reply[]> {
  const items: Reply[] = [];
  for (const key of yield* work) {
    const value = data.keyspace(db).find(key)?.value;
    if (value instanceof Document) {
      effort.answer(value.size);
      items.push(bulk(key), presentEntries(value, at));
    }
    if (items.length % STEP_ITEMS === 0) yield;
  }

  return items;
}

function getKeys(data: Data, argv: readonly ByteString[], { at }: Unit): Reply {
  const first = firstPresent(documentOf(data, argv[1]!).value, at);
  const names = namesOf(first);
  if (names === undefined || first === undefined) throw noEntry();
  return array([bulk(first[0]), bulks(names.map(bytesOfText))]);
}

/** The key of a document, and a value that increases with the position of the unit that created it. */
interface Aged {
  readonly key: ByteString;
  readonly born: ByteString;
}

/**
 * Returns the keys of all documents, the oldest first. Between two steps a late entry of the timeline may cause units
 * to be undone and applied again. Afterwards a key may have another value or none, so each step looks up its keys
 * again.
 */
function documentsOf(data: Data, context: UnitContext): Generator<void, readonly ByteString[]> {
  const keys = data.walked().map(({ key }) => key);
  return documentsIn(keys, data, context);
}

function* documentsIn(
  keys: readonly ByteString[],
  data: Data,
  { at, db }: UnitContext,
): Generator<void, readonly ByteString[]> {
  const documents: Aged[] = [];
  let isOrdered = true;
  for (const [index, key] of keys.entries()) {
    if (index % STEP_ITEMS === STEP_ITEMS - 1) yield;
    const entry = data.keyspace(db).find(key);
    if (!(entry?.value instanceof Document) || isExpired(entry, at)) continue;
    const aged: Aged = { key, born: entry.value.born };
    const before = documents.at(-1);
    if (before !== undefined && compareAge(before, aged) > 0) isOrdered = false;
    documents.push(aged);
  }

  const sorted = isOrdered ? documents : yield* sortedInSteps(documents, compareAge);
  return sorted.map(({ key }) => key);
}

const compareAge = (a: Aged, b: Aged) => compare(a.born, b.born) || compare(a.key, b.key);
const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** Maximum number of indexes of one document: every write maintains each of them. */
const INDEXES_MAX = 16;

/**
 * `DOC.INDEX CREATE document name`. A read builds the index when it first uses it.
 * @returns whether the index is new
 */
function createIndex(data: Data, argv: readonly ByteString[]): Reply {
  const field = fieldArgument(argv[3]!);
  const entry = documentOf(data, argv[2]!);
  const { indexed } = entry.value;
  if (indexed.includes(field)) return ZERO;
  if (indexed.length >= INDEXES_MAX)
    throw custom(
      `ERR A document has at most ${INDEXES_MAX} indexes: drop one that is not needed (DOC.INDEX LIST)`,
    );
  setIndexed(data, entry, [...indexed, field]);
  return ONE;
}

/** `DOC.INDEX DROP document name`. @returns whether the index existed */
function dropIndex(data: Data, argv: readonly ByteString[]): Reply {
  const entry = documentOf(data, argv[2]!);
  const { indexed } = entry.value;
  if (!indexed.includes(argv[3]!)) return ZERO;
  setIndexed(
    data,
    entry,
    indexed.filter((field) => field !== argv[3]),
  );
  return ONE;
}

/** `DOC.INDEX LIST document` */
function listIndexes(data: Data, argv: readonly ByteString[]): Reply {
  return bulks(documentOf(data, argv[2]!).value.indexed);
}

/**
 * `DOC.MEMBER ADD document name value`: adds a member to all entries of an existing document; entries that have it keep
 * their values. Source: docs/json-documents.md "Members added later".
 * @returns the number of entries to which the member was added
 */
function addMember(data: Data, argv: readonly ByteString[]): Reply {
  const name = nameArgument(argv[3]!);
  const value = jsonArgument(argv[4]!);
  checkDepth(value, argv[3]!);
  return rewriteEntries(data, argv[2]!, (entry) => {
    if (memberOf(entry, name) !== undefined) return null;
    const copy = copied(entry);
    copy.set(name, value);
    return copy;
  });
}

/** `DOC.MEMBER DROP document name`. @returns the number of entries that had the member */
function dropMember(data: Data, argv: readonly ByteString[]): Reply {
  const name = nameArgument(argv[3]!);
  return rewriteEntries(data, argv[2]!, (entry) =>
    memberOf(entry, name) === undefined ? null : copied(entry, name),
  );
}

/** Cost in steps of each entry that is read and rewritten. */
const REWRITTEN_STEPS = 60;
/** Number of bytes of a rewritten entry that cost one more step. */
const REWRITTEN_BYTES_PER_STEP = 8;

/**
 * Changes all entries that have to change, or none if there is an error.
 * @param change returns null if the entry does not change
 * @returns the number of changed entries
 */
function rewriteEntries(
  data: Data,
  document: ByteString,
  change: (entry: JsonContainer) => JsonObject | null,
): Reply {
  const entry = documentToChange(data, document);
  const changed: (readonly [key: ByteString, text: ByteString])[] = [];
  for (const [key, text] of entry.value.entries()) {
    data.effort.work(REWRITTEN_STEPS + text.length / REWRITTEN_BYTES_PER_STEP);
    const value = valueOfEntry(text);
    if (!isContainer(value)) throw notMembers();
    const other = change(value);
    if (other !== null) changed.push([key, textOfEntry(other)]);
  }

  for (const [key, text] of changed) setEntry(data, entry, key, text);
  return integer(changed.length);
}

function copied(entry: JsonContainer, without?: string): JsonObject {
  const copy = new JsonObject();
  const values = memberValues(entry);
  for (const [at, name] of memberNames(entry).entries())
    if (name !== without) copy.set(name, values[at] as JsonValue);
  return copy;
}

/** @throws CommandFailure */
function nameArgument(bytes: ByteString): string {
  const name = textOfBytes(bytes);
  if (bytesOfText(name) !== bytes) throw custom("ERR not UTF-8");
  return name;
}
