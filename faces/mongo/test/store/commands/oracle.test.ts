/**
 * Tests that random operations have the same result as in mingo, and that undo restores the state. DBSYNC_SEED
 * replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { aggregate, find, Query, updateMany, updateOne } from "mingo";
import { textOfBytes } from "../../../../../protocol/byte-string.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { readBson } from "../../../store/values/bson-reader.js";
import { writeExtendedJson } from "../../../store/values/extended-json.js";
import { MdbUnderTest } from "./mdb-under-test.js";
import { isDifferentInMingo, withoutDifferences } from "./mingo-differences.js";
import { type Json, type JsonObject, type Operation, RandomOperations } from "./random-operation.js";

const RUNS = amount(2, 60);
const OPERATIONS = 80;
/** The number of kinds of operations. */
const KINDS = 7;
/** The test undoes and repeats one in this many operations. */
const UNDONE = 8;
const INDEXES = [
  '{"key":{"a":1},"name":"a_1"}',
  '{"key":{"o.x":1,"n":-1},"name":"ox_n"}',
  '{"key":{"l":1},"name":"l_1"}',
];

const seed = seedOfRun();

test(`${RUNS * OPERATIONS} random operations return what mingo returns (seed ${seed})`, () => {
  const counts = { answers: 0, changed: 0, refused: 0, skipped: 0 };
  const kinds = new Set<Operation["kind"]>();

  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const operations = new RandomOperations(random);
    const store = new MdbUnderTest();
    if (run % 2 === 0) store.run("CREATEINDEXES", ...INDEXES);
    let documents: JsonObject[] = [];
    for (let i = 0; i < OPERATIONS; i++) {
      const operation = operations.next();
      const where = `seed ${seed}, run ${run}, operation ${i}: ${JSON.stringify(operation)}`;

      if (isDifferentInMingo(operation, documents)) {
        counts.skipped++;
        continue;
      }

      if (i % UNDONE === 0) checkUndo(store, operation, where);
      const ours = carriedOut(store, operation);
      if (ours === "refused") {
        counts.refused++;
        continue;
      }

      const expected = byMingo(operation, documents);
      documents = expected.documents;
      assert.deepEqual(plain(ours, operation), plain(expected.answer, operation), where);
      kinds.add(operation.kind);
      if (typeof expected.answer === "object") counts.answers++;
      else counts.changed++;
      if (typeof expected.answer === "number" && operation.kind !== "count")
        assert.deepEqual(sorted(found(store, {})), sorted(documents), `state after ${where}`);
    }
  }

  assert.equal(kinds.size, KINDS, [...kinds].join());
  assert.ok(counts.skipped + counts.refused < (RUNS * OPERATIONS) / 5, JSON.stringify(counts));
  assert.ok(Math.min(counts.answers, counts.changed) > (RUNS * OPERATIONS) / 5, JSON.stringify(counts));
});

function checkUndo(store: MdbUnderTest, operation: Operation, where: string): void {
  const before = store.state();
  store.records = [];
  carriedOut(store, operation);
  store.database.undo(store.records);
  store.records = [];
  assert.equal(store.state(), before, `undone: ${where}`);
}

/** Runs an operation. @returns documents, the number of matches, or "refused" if it is an error */
function carriedOut(store: MdbUnderTest, operation: Operation): Json | "refused" {
  const spec = JSON.stringify(operation, (name, value) => (name === "kind" ? undefined : value));
  switch (operation.kind) {
    case "insert":
      return count(store, "INSERT", "0", ...operation.documents.map((one) => JSON.stringify(one)));
    case "update":
      return count(store, "UPDATE", "1", spec);
    case "delete":
      return count(store, "DELETE", "1", spec);
    case "count":
      return Number(store.run("COUNT", spec));
    case "find":
      return found(store, JSON.parse(spec));
    case "distinct":
      return (documentsIn(store, "DISTINCT", spec) as readonly JsonObject[])[0]?.["values"] ?? null;
    case "aggregate":
      return documentsIn(store, "AGGREGATE", spec);
  }
}

/**
 * Returns the number in a reply. Failures of an insert are documents that already exist; failures of other statements
 * are errors.
 */
function count(store: MdbUnderTest, name: string, ...rest: readonly string[]): Json | "refused" {
  const [answer = {}] = documentsIn(store, name, ...rest) as readonly JsonObject[];
  return name !== "INSERT" && "writeErrors" in answer ? "refused" : (answer["n"] ?? null);
}

const found = (store: MdbUnderTest, spec: JsonObject) =>
  documentsIn(store, "FIND", JSON.stringify(spec)) as JsonObject[];

function documentsIn(store: MdbUnderTest, name: string, ...rest: readonly string[]): readonly Json[] {
  const reply = store.reply(`MDB.${name}`, "db", "c", ...rest);
  assert.ok(
    reply.kind === "array" || reply.kind === "bulk",
    `${JSON.stringify(reply)} of ${name} ${rest.join(" ")}`,
  );
  const items = reply.kind === "array" ? reply.items : [reply];
  return items.map((item) => {
    assert.equal(item.kind, "bulk");
    const bytes = item.kind === "bulk" ? item.bytes : "";
    const text = bytes.startsWith('{"') || bytes === "{}" ? bytes : writeExtendedJson(readBson(bytes));
    return JSON.parse(textOfBytes(text), simple) as Json;
  });
}

const WRAPPED = ["$numberInt", "$numberLong", "$numberDouble"];

function simple(_: string, value: Json): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const [name = ""] = Object.keys(value);
  return WRAPPED.includes(name) ? Number((value as JsonObject)[name]) : value;
}

function byMingo(
  operation: Operation,
  before: JsonObject[],
): { readonly documents: JsonObject[]; readonly answer: Json } {
  // mingo changes even documents that it only reads.
  const documents = structuredClone(before);
  switch (operation.kind) {
    case "insert": {
      const ids = new Set(documents.map(({ _id }) => _id));
      const added = operation.documents.filter(({ _id }) => !ids.has(_id as Json) && ids.add(_id as Json));
      return { documents: [...documents, ...structuredClone(added)], answer: added.length };
    }
    case "update": {
      const change = operation.multi ? updateMany : updateOne;
      const { matchedCount } = change(documents, operation.q, operation.u as object, {
        arrayFilters: operation.arrayFilters as JsonObject[],
      });
      return { documents, answer: matchedCount };
    }
    case "delete": {
      const query = new Query(operation.q);
      let remaining = operation.limit === 1 ? 1 : Number.POSITIVE_INFINITY;
      const retained = documents.filter((one) => !query.test(one) || remaining-- <= 0);
      return { documents: retained, answer: documents.length - retained.length };
    }
    case "count":
      return { documents, answer: documents.filter((one) => new Query(operation.query).test(one)).length };
    case "find": {
      const cursor = find<JsonObject>(documents, operation.filter, operation.projection as object)
        .sort(operation.sort as Record<string, 1 | -1>)
        .skip(operation.skip);
      if (operation.limit > 0) cursor.limit(operation.limit);
      return { documents: before, answer: cursor.all() as Json };
    }
    case "distinct": {
      const matches = documents.filter((one) => new Query(operation.query).test(one));
      return { documents, answer: distinct(matches, operation.key.split(".")) };
    }
    case "aggregate":
      return { documents: before, answer: aggregate(documents, operation.pipeline as JsonObject[]) as Json };
  }
}

function distinct(documents: readonly JsonObject[], path: readonly string[]): Json {
  const values = documents.flatMap((one) => {
    const value = path.reduce<Json | undefined>(
      (at, name) => (at as JsonObject | null | undefined)?.[name],
      one,
    );
    return value === undefined ? [] : Array.isArray(value) ? value : [value];
  });
  return [...new Map(values.map((value) => [JSON.stringify(value), value as Json])).values()];
}

/** Returns the comparable part of a result: only MongoDB defines the order of fields, and differences are omitted. */
function plain(answer: Json, operation: Operation): Json {
  return sorted(withoutDifferences(answer, operation));
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map((one: Json) => sorted(one));
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? 0 : value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, sorted(one)]),
  );
}
