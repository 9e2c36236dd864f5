/**
 * Tests long queries without the --sql listener. A single query runs in several turns, and a query that runs in one
 * step is limited.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordedPath } from "../../../../daemon/cluster/replica/recorded-command-path.js";
import { TimelineBackend } from "../../../../daemon/cluster/replica/timeline-backend.js";
import type { Outcome } from "../../../../daemon/engine/backends/backend.js";
import { type CommandSender, newLastWrite } from "../../../../daemon/engine/backends/command-path.js";
import { LocalUnits, NewestDate } from "../../../../daemon/engine/backends/local-units.js";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import { findCommand } from "../../../../daemon/store/command-table.js";
import type { Database } from "../../../../daemon/store/database.js";
import { UNIT_STEPS_DEFAULT } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import { Collection } from "../../../../faces/mongo/store/values/collection.js";
import { LocalPath } from "../../../../faces/users/user-listeners.js";
import { finishReply } from "../../../../protocol/lazy-replies.js";
import { error, type Reply } from "../../../../protocol/reply.js";
import { amount } from "../../../support/amount.js";
import { slowEnvironment } from "../../../support/slow-environment.js";
import { tryProgram } from "../../../support/try-program.js";
import { START, TimelineSubject } from "../../timeline/support/timeline-subject.js";

const ROWS = 5000;
const DOCUMENTS = amount(1100, 5000);
const LONG = ["SQL", "d", "select a from t where a >= 0"];
/** A join of 25 million pairs that returns no rows. */
const ENDLESS = ["SQL", "d", "select x.a from t x join t y on x.a + y.a < 0"];
const SQL_RO = findCommand("SQL_RO") as Command;
const SENDER: CommandSender = {
  ...{ db: 0, now: START, as: null, isStable: false, readsAll: true },
  lastWrite: newLastWrite(),
};
const unit: Unit = { at: START, db: 0, id: "u".repeat(36), seq: 1 };

const insert = (from: number, to: number) => [
  "SQL",
  "d",
  `insert into t values ${Array.from({ length: to - from }, (_, i) => `(${from + i})`).join(",")}`,
];

const documents = (from: number, to: number) => [
  ...["MDB.INSERT", "d", "c", "1"],
  ...Array.from({ length: to - from }, (_, i) => `{"_id":${from + i},"n":${i % 10},"q":[1,2]}`),
];

const aggregated = (...pipeline: readonly object[]) => [
  ...["MDB.AGGREGATE", "d", "c"],
  JSON.stringify({ pipeline }),
];

/** Queries that read all documents. */
const DOCUMENT_QUERIES: readonly (readonly string[])[] = [
  ["MDB.FIND", "d", "c", '{"filter":{"n":3}}'],
  ["MDB.FIND", "d", "c", '{"filter":{"n":-1}}'],
  ["MDB.FIND", "d", "c", '{"filter":{},"sort":{"n":-1},"projection":{"n":1},"skip":7}'],
  ["MDB.COUNT", "d", "c", '{"query":{"n":{"$gt":3}}}'],
  ["MDB.DISTINCT", "d", "c", '{"key":"n"}'],
  aggregated({ $match: { n: 3 } }),
  aggregated({ $group: { _id: "$n", count: { $sum: 1 } } }, { $sort: { _id: 1 } }),
  aggregated({ $unwind: "$q" }, { $match: { n: 3 } }, { $skip: 1 }, { $limit: 700 }),
  aggregated({ $project: { n: 1 } }, { $count: "n" }),
  aggregated({ $limit: 3 }, { $lookup: { from: "c", localField: "n", foreignField: "_id", as: "other" } }),
];

/** Commands that change each document. */
const CHANGES: readonly (readonly string[])[] = [
  ["MDB.DELETE", "d", "c", "1", '{"q":{"n":5},"limit":0}'],
  ["MDB.UPDATE", "d", "c", "1", '{"q":{},"u":{"$set":{"n":99,"q":[3]}},"multi":true}'],
  documents(DOCUMENTS, DOCUMENTS + 10),
];

/** What a scene has: rows of a table, or documents. */
type Contents = "rows" | "documents";

function fill(database: Database, contents: Contents): void {
  const rows = [["SQL", "", "create database d"], ["SQL", "d", "create table t (a number)"], insert(0, ROWS)];
  const statements = contents === "rows" ? rows : [documents(0, DOCUMENTS)];
  for (const argv of statements) assert.notEqual(database.execute(argv, unit).kind, "error");
}

function inMemory(contents: Contents) {
  const environment = { ...slowEnvironment(), clock: () => START + 10_000 };
  const backend = new MemoryBackend(environment);
  fill(backend.database, contents);
  backend.database.unitStepsMax = UNIT_STEPS_DEFAULT;
  const path = new LocalPath(backend, new LocalUnits(environment, new NewestDate()));
  return { backend, path, database: backend.database };
}

async function inTimeline(contents: Contents) {
  const environment = { ...slowEnvironment(), clock: () => START + 10_000 };
  const { timeline } = await new TimelineSubject({ now: START + 10_000 }).open();
  const backend = new TimelineBackend(timeline, environment);
  fill(backend.database, contents);
  const units = new LocalUnits(environment, new NewestDate());
  const path = new RecordedPath(backend, null as never, units, () => 1);
  return { backend, path, database: backend.database };
}

const SCENES = {
  "in memory": async (contents: Contents) => inMemory(contents),
  "with a timeline": inTimeline,
};

function rowsOf(reply: Outcome): number {
  assert.ok(reply.kind === "map", JSON.stringify(reply).slice(0, 200));
  const rows = reply.items.at(-1);
  assert.ok(rows?.kind === "array");
  return rows.items.length;
}

function isRefused(reply: Reply | Promise<Reply> | undefined): void {
  assert.ok(reply !== undefined && !(reply instanceof Promise) && reply.kind === "error", "no answer");
  assert.match(reply.text, /^TOOMUCH .*outside of MULTI and scripts, or to the --sql listener/);
}

/** Returns the last reply of a transaction, or the error with which the complete transaction was refused. */
const lastOf = (reply: Reply | Promise<Reply>) => {
  assert.ok(!(reply instanceof Promise));
  return reply.kind === "array" ? reply.items.at(-1) : reply;
};

for (const [where, open] of Object.entries(SCENES)) {
  test(`${where} a signed query yields, and returns the rows that existed when it began`, async () => {
    const { backend, database } = await open("rows");
    const reply = backend.execute(LONG, unit);
    assert.ok(reply instanceof Promise, "the query was answered in one turn");
    assert.notEqual(database.execute(insert(ROWS, ROWS + 10), unit).kind, "error");
    assert.equal(rowsOf(await reply), ROWS);
    const failing = backend.execute(["SQL", "d", `${LONG[2]} and none = 1`], unit);
    assert.equal((await failing).kind, "error");
  });

  test(`${where} a signed read of documents yields, and returns the documents that existed when it began`, async () => {
    for (const argv of DOCUMENT_QUERIES) {
      const { backend, database } = await open("documents");
      const expected = finishReply(database.execute(argv, { ...unit, takesSteps: true }));
      const reply = backend.execute(argv, unit);
      assert.ok(reply instanceof Promise, `${argv.join(" ")} was answered in one turn`);
      for (const change of CHANGES) assert.notEqual(database.execute(change, unit).kind, "error");
      assert.deepEqual(await reply, expected, argv.join(" "));
    }
    const { backend } = await open("documents");
    const failing = await backend.execute(["MDB.FIND", "d", "c", '{"filter":{"$none":1}}'], unit);
    assert.equal(failing.kind, "error");
  });

  test(`${where} LCS yields, and compares the strings that existed when it began`, async () => {
    const { backend, database } = await open("rows");
    const texts = ["ab".repeat(400), "ba".repeat(500)] as const;
    for (const options of [[], ["LEN"], ["IDX", "WITHMATCHLEN"]]) {
      assert.notEqual(database.execute(["MSET", "a", texts[0], "b", texts[1]], unit).kind, "error");
      const argv = ["LCS", "a", "b", ...options];
      const expected = database.execute(argv, unit);
      const reply = backend.execute(argv, unit);
      assert.ok(reply instanceof Promise, `${argv.join(" ")} was answered in one turn`);
      assert.notEqual(database.execute(["MSET", "a", "x", "b", "y"], unit).kind, "error");
      assert.deepEqual(await reply, expected, argv.join(" "));
    }
  });

  test(`${where} the query of a client that has disconnected ends at its next step`, async () => {
    const { backend, path } = await open("rows");
    const sender = { ...SENDER, takesSteps: true, isGone: false };
    const reply = path.execute(SQL_RO, LONG, sender);
    assert.ok(reply instanceof Promise, "the query was answered in one turn");
    sender.isGone = true;
    assert.deepEqual(await reply, error("ERR the client has disconnected"));
    assert.equal(backend.workingMemory.figures.used, 0);
  });

  test(`${where} a completed read of documents does not cause later copies`, async () => {
    const { backend, database } = await open("documents");
    for (const argv of DOCUMENT_QUERIES) await backend.execute(argv, unit);
    const collection = database.keyspaces[0]?.find("mongo:d.c")?.content;
    assert.ok(collection instanceof Collection);
    assert.equal(collection.isRead, false);
  });

  test(`${where} queries in MULTI are limited by --max-unit-steps, alone and together`, async () => {
    const { backend, path } = await open("rows");
    isRefused(backend.executeTogether([ENDLESS], unit));
    const call = (argv: readonly string[]) => ({ command: SQL_RO, argv });
    isRefused(lastOf(path.executeTogether([call(ENDLESS)], [], SENDER)));
    assert.notEqual(lastOf(path.executeTogether([call(LONG)], [], SENDER))?.kind, "error");
    isRefused(lastOf(path.executeTogether(Array(100).fill(call(LONG)), [], SENDER)));
    // The steps of one unit do not count against other clients' queries.
    assert.equal(rowsOf(await backend.execute(LONG, unit)), ROWS);
  });
}

test("a query of a script is limited by --max-unit-steps", async () => {
  const { path } = inMemory("rows");
  isRefused(path.executeInSteps((run) => run(SQL_RO, ENDLESS, 0), [], SENDER));
  const { database } = await inTimeline("rows");
  const limits = { stepsMax: UNIT_STEPS_DEFAULT, at: START };
  const tried = tryProgram(database, (run) => run(SQL_RO, ENDLESS, 0), limits);
  assert.match(JSON.stringify(tried), /"refused".*TOOMUCH /);
});
