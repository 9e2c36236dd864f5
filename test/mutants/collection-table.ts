/**
 * Mutants of the rules of collections: the keys that commands access, the data that an undo restores, the meaning of
 * filters and indexes.
 */
import type { Mutant } from "./mutant.js";

const ORACLE = "test/faces/mongo/store/commands/oracle.test.js";
const DETAILS = "test/faces/mongo/store/commands/statements.test.js";
const ORDERING = "test/faces/mongo/store/commands/ordering.test.js";
const READS = "test/faces/mongo/store/commands/find-and-count.test.js";
const WRITES = "test/faces/mongo/store/commands/mdb-commands.test.js";
const KEYS = "test/faces/mongo/store/commands/collection-keys.test.js";
const CLAIMS = "test/daemon/timeline/document-claims.test.js";
const FACTS = "test/faces/mongo/store/commands/stated-facts.test.js";
const INVALID = "test/daemon/timeline/invalid-indexes.test.js";
const REPORTED = "test/daemon/cluster/history/invalid-indexes.test.js";
const BSON = "test/faces/mongo/store/values/bson.test.js";

export const collectionMutants: readonly Mutant[] = [
  {
    name: "collections: a claim takes another document than the recorded one",
    file: "faces/mongo/store/commands/update-and-delete.js",
    find: "still.length > 0 || !isUpsert ? still : choose()",
    replace: "still.length > 0 ? still : choose()",
    test: CLAIMS,
  },
  {
    name: "collections: a claim takes its document although the filter no longer matches",
    file: "faces/mongo/store/commands/update-and-delete.js",
    find: "filterOf(isRandom ? EVERY : query, work, target)",
    replace: "filterOf(EVERY, work, target)",
    test: CLAIMS,
  },
  {
    name: "collections: a random filter is tried again",
    file: "faces/mongo/store/commands/update-and-delete.js",
    find: "filterOf(isRandom ? EVERY : query, work, target)",
    replace: "filterOf(query, work, target)",
    test: CLAIMS,
  },
  {
    name: "collections: an upsert does nothing if its document is gone",
    file: "faces/mongo/store/commands/update-and-delete.js",
    find: "still.length > 0 || !isUpsert ? still : choose()",
    replace: "still",
    test: CLAIMS,
  },
  {
    name: "collections: a claim that failed is repeated",
    file: "faces/mongo/store/commands/claimed-documents.js",
    find: "outcome = bytesOfFailure(failure);",
    replace: "{}",
    test: CLAIMS,
  },
  {
    name: "collections: the choices of statements are counted without those that take all documents",
    file: "faces/mongo/store/commands/claimed-documents.js",
    find: "while (taken.length < index)",
    replace: "while (false)",
    test: CLAIMS,
  },
  {
    name: "collections: a statement whose change is only tried is not seen by the next one",
    file: "faces/mongo/store/commands/update-and-delete.js",
    find: "target.omitsChanges && length > 1 ?",
    replace: "false ?",
    test: CLAIMS,
  },
  {
    name: "collections: an index keeps the values that an update has changed",
    file: "faces/mongo/store/values/collection-index.js",
    find: "before.every(({ text }, i) => text === after[i]?.text)",
    replace: "true",
    test: ORACLE,
  },
  {
    name: "collections: each command that changes all documents is run twice",
    file: "faces/mongo/store/commands/mdb-commands.js",
    find: "isClaim: updatesOne,",
    replace: "isClaim: true,",
    test: CLAIMS,
  },
  {
    name: "collections: an upsert stores no value of $in",
    file: "faces/mongo/store/queries/bson-update.js",
    find: 'if (operator !== "$in" || !isArray(operand))',
    replace: "if (operator !== null)",
    test: FACTS,
  },
  {
    name: "collections: an upsert by a replacement takes every field of its filter",
    file: "faces/mongo/store/commands/update-and-delete.js",
    find: 'isReplacement(change.update) ? "_id" : null',
    replace: "null",
    test: FACTS,
  },
  {
    name: "collections: $pull does not look into elements that are arrays",
    file: "faces/mongo/store/queries/bson-filter.js",
    find: "isMet(new Map([[ELEMENT, value]]))",
    replace: "!Array.isArray(value) && isMet(new Map([[ELEMENT, value]]))",
    test: FACTS,
  },
  {
    name: "collections: $in refuses references to documents",
    file: "faces/mongo/store/queries/value-tests.js",
    find: '!(value.has("$ref") && value.has("$id"))',
    replace: "true",
    test: FACTS,
  },
  {
    name: "collections: a projection that computes _id includes it once more",
    file: "faces/mongo/store/queries/projection.js",
    find: 'if (!fields.has("_id") && isIncluding === (id !== false))',
    replace: "if (isIncluding === (id !== false))",
    test: FACTS,
  },
  {
    name: "collections: $toDate converts a day that is not in the calendar",
    file: "protocol/calendar-date.js",
    find: "new Date(midnight).toISOString().startsWith(day) ? at : undefined",
    replace: "at",
    test: FACTS,
  },
  {
    name: "collections: $toDate converts hour 24",
    file: "protocol/calendar-date.js",
    find: 'hour === "24" ||',
    replace: "",
    test: FACTS,
  },
  {
    name: "collections: a hint decides nothing",
    file: "faces/mongo/store/commands/find-and-count.js",
    find: "return sort.size > 0 ? sort : index.pattern;",
    replace: "return sort;",
    test: FACTS,
  },
  {
    name: "collections: an upsert creates an id that contains operators",
    file: "faces/mongo/commands/refused-documents.js",
    find: "if (upsert === null || upsert.every((byte) => byte === 0))",
    replace: "if (bytes !== null)",
    test: "test/faces/mongo/documents.test.js",
  },
  {
    name: "mongo: a transaction is refused like a repeated write, whose error drivers replace",
    file: "faces/mongo/messages/command-document.js",
    find: "TRANSACTION.some((name) => command.has(name))",
    replace: "false",
    test: "test/faces/mongo/documents.test.js",
  },
  {
    name: "collections: $lookup accesses only its own collection",
    file: "faces/mongo/store/commands/mdb-commands.js",
    find: "return collectionsIn(documentOf(argument));",
    replace: "return [];",
    test: KEYS,
  },
  {
    name: "collections: an undo restores documents at the end",
    file: "faces/mongo/store/keyspace/collection-mutators.js",
    find: "collection.restore(removed)",
    replace: "removed.documents.forEach((bytes) => collection.push(bytes))",
    test: ORACLE,
  },
  {
    name: "collections: an undone document stays in the indexes",
    file: "faces/mongo/store/values/collection.js",
    find: "const bytes = this.document(number);\n            for (const index of this.#indexes.values())\n                index.remove(number, bytes);",
    replace: "",
    test: ORACLE,
  },
  {
    name: "collections: documents that exchange their keys conflict",
    file: "faces/mongo/store/commands/update-and-delete.js",
    find: "entry.value, new Set(numbers)",
    replace: "entry.value, new Set()",
    test: KEYS,
  },
  {
    name: "collections: the index returns a missing field as null",
    file: "faces/mongo/store/commands/candidate-documents.js",
    find: "value !== null && !isArray(value)",
    replace: "!isArray(value)",
    test: READS,
  },
  {
    name: "collections: a double is compared with a decimal by its text",
    file: "faces/mongo/store/values/bson-numbers.js",
    find: "BigInt(scaled) * 5n ** BigInt(halves)",
    replace: "BigInt(Math.round(number * 10 ** halves))",
    test: BSON,
  },
  {
    name: "collections: an int32 that overflows wraps around",
    file: "faces/mongo/store/values/bson-numbers.js",
    find: "isNarrow && BigInt.asIntN(32, result) === result",
    replace: "isNarrow",
    test: WRITES,
  },
  {
    name: "collections: one element of an array must be in the complete range",
    file: "faces/mongo/store/commands/index-ranges.js",
    find: "const isOpen = index.isMultikey && lowest !== undefined;",
    replace: "const isOpen = false;",
    test: DETAILS,
  },
  {
    name: "collections: an expired document prevents an equal value",
    file: "faces/mongo/store/commands/unique-indexes.js",
    find: "return this.#isExpired?.(this.#collection.document(number)) !== true;",
    replace: "return true;",
    test: DETAILS,
  },
  {
    name: "collections: a compound index with arrays is used for all conditions",
    file: "faces/mongo/store/commands/index-ranges.js",
    find: "if (index.isMultikey && i > 0)",
    replace: "if (false)",
    test: DETAILS,
  },
  {
    name: "collections: an index is sorted in one step",
    file: "faces/mongo/store/values/collection-index.js",
    find: "if (keys >= ORDERED_ITEMS)",
    replace: "if (false)",
    test: ORDERING,
  },
  {
    name: "collections: a read returns documents that were added after its start",
    file: "faces/mongo/store/commands/update-and-delete.js",
    find: "readings?.every((one) => one.collection !== collection || one.isCurrent) ?? true",
    replace: "true",
    test: ORDERING,
  },
  {
    name: "collections: an acknowledged index disappears if documents have equal values",
    file: "faces/mongo/store/commands/index-creation.js",
    find: "this.#areAnswered = recorded !== undefined;",
    replace: "this.#areAnswered = false;",
    test: INVALID,
  },
  {
    name: "collections: a daemon does not record that it has created an index",
    file: "faces/mongo/store/commands/index-creation.js",
    find: 'claim.take(CREATED, "chosen");',
    replace: ";",
    test: INVALID,
  },
  {
    name: "collections: an acknowledged index is valid although documents have equal values",
    file: "faces/mongo/store/commands/index-creation.js",
    find: "fault === null ? spec : { ...spec, invalid: fault.reason }",
    replace: "spec",
    test: INVALID,
  },
  {
    name: "collections: an index in the place of an acknowledged one is valid",
    file: "faces/mongo/store/commands/index-creation.js",
    find: "if (isSameKind(spec, other) && isSamePattern(spec.pattern, other.pattern))",
    replace: "if (true)",
    test: INVALID,
  },
  {
    name: "collections: an invalid index is not checked when it is created again",
    file: "faces/mongo/store/commands/index-creation.js",
    find: "else if (other.invalid !== undefined)",
    replace: "else if (false)",
    test: INVALID,
  },
  {
    name: "collections: a document with a value that is there twice cannot be changed",
    file: "faces/mongo/store/commands/unique-indexes.js",
    find: "held?.has(text) !== true &&",
    replace: "",
    test: INVALID,
  },
  {
    name: "collections: an invalid index accepts further equal values",
    file: "faces/mongo/store/commands/unique-indexes.js",
    find: "if (index.spec.invalid === undefined || replaced === undefined)",
    replace:
      "if (index.spec.invalid !== undefined) return { index, keys: [], held: null };\n        if (true)",
    test: INVALID,
  },
  {
    name: "collections: queries use an index that does not contain all documents",
    file: "faces/mongo/store/values/collection-index.js",
    find: "return this.#omitted === 0;",
    replace: "return true;",
    test: INVALID,
  },
  {
    name: "collections: a write does not report an invalid index",
    file: "faces/mongo/store/commands/unique-indexes.js",
    find: "if (invalid.length > 0)",
    replace: "if (false)",
    test: INVALID,
  },
  {
    name: "collections: a snapshot makes invalid indexes valid",
    file: "faces/mongo/store/values/collection-index.js",
    find: '...(typeof invalid === "string" ? { invalid } : {}),',
    replace: "",
    test: "test/faces/mongo/store/values/collection-in-snapshots.test.js",
  },
  {
    name: "collections: a removed collection is reported as having an invalid index",
    file: "daemon/store/keyspace/keyspace.js",
    find: "if (entry === undefined || isExpired(entry, at) || typeof entry.value",
    replace:
      'if (entry === undefined) yield [key, "gone"];\n            if (entry === undefined || typeof entry.value',
    test: REPORTED,
  },
  {
    name: "collections: a renamed collection is not reported",
    file: "daemon/store/keyspace/keyspace.js",
    find: 'this.#table.push(entry);\n        if (typeof value !== "string")',
    replace: "this.#table.push(entry);\n        if (false)",
    test: REPORTED,
  },
  {
    name: "collections: the public problems name the key of an invalid index",
    file: "protocol/figures/timeline-problems.js",
    find: 'invalidIndexes: report.invalidIndexes.map((invalid) => ({ ...invalid, index: "…", key: HIDDEN_KEY })),',
    replace: "",
    test: "test/daemon/cluster/peers/about.test.js",
  },
  {
    name: "collections: a dropped index shows expired documents again",
    file: "faces/mongo/store/commands/collection-definitions.js",
    find: "removeExpired(data, entry, unit.at, Number.POSITIVE_INFINITY);",
    replace: ";",
    test: DETAILS,
  },
];
