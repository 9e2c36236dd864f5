/**
 * Tests that random Malagasy statements have the same result in a second, simple evaluator, and that undo restores the
 * state. sqlite.test.ts compares English statements with SQLite. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../../daemon/store/keyspace/undo.js";
import { bytesOfText } from "../../../../../protocol/byte-string.js";
import type { Reply } from "../../../../../protocol/reply.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { Oracle, Refused } from "./oracle.js";
import { randomStatement, type Statement } from "./random-statement.js";
import { StatementText } from "./statement-text.js";
import { outcomeOfReply } from "./transcript.js";

const RUNS = amount(8, 100);
const STATEMENTS = 80;
/** The test undoes and repeats one in this many statements. */
const UNDONE = 8;

const MAKE = [
  "create database d",
  "create table t (k number:text, s text(0,4), n number)",
  "create table u (k number:text unique, s text(0,4), n number)",
];

const seed = seedOfRun();

test(`${RUNS * STATEMENTS} random statements return what a simple evaluator returns (seed ${seed})`, () => {
  const counts = { refused: 0, rows: 0, changed: 0, indexed: 0 };
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const database = new Database();
    const oracle = new Oracle();
    for (const statement of MAKE) execute(database, statement, []);
    for (let i = 0; i < STATEMENTS; i++) {
      const statement = randomStatement(random);
      const { text, bound } = new StatementText(statement);
      const where = `seed ${seed}, run ${run}, statement ${i}: ${text} ${JSON.stringify(bound)}`;
      if (i % UNDONE === 0) checkUndo(database, text, bound, where);
      const expectedOutcome = expected(oracle, statement);
      const ours = outcomeOf(execute(database, text, bound));
      assert.deepEqual(ours, expectedOutcome, where);
      if (expectedOutcome === "refused") counts.refused++;
      else if (typeof expectedOutcome === "number") counts.changed += expectedOutcome;
      else counts.rows += expectedOutcome.length;
      if ((oracle.tables["t"]?.length ?? 0) > 16) counts.indexed++;
    }
    for (const [name, rows] of Object.entries(oracle.tables))
      assert.deepEqual(outcomeOf(execute(database, `select * from ${name}`, [])), plain(rows), `run ${run}`);
  }
  for (const [label, count] of Object.entries(counts))
    assert.ok(count > amount(25, 330), `only ${count} times: ${label}`);
});

function execute(
  database: Database,
  text: string,
  bound: readonly string[],
  records: UndoRecord[] = [],
): Reply {
  const argv = ["SQL", "d", ...[text, ...bound].map(bytesOfText)];
  return database.execute(argv, { at: 1_000_000, db: 0, id: "unit" }, records);
}

function checkUndo(database: Database, text: string, bound: readonly string[], where: string): void {
  const before = canonicalState(database);
  const records: UndoRecord[] = [];
  execute(database, text, bound, records);
  database.undo(records);
  assert.deepEqual(canonicalState(database), before, where);
}

type Told = "refused" | number | readonly string[];

function expected(oracle: Oracle, statement: Statement): Told {
  try {
    const result = oracle.run(statement);
    return typeof result === "number" ? result : plain(result);
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    return "refused";
  }
}

function outcomeOf(reply: Reply): Told {
  if (reply.kind === "error") return "refused";
  if (reply.kind === "integer") return Number(reply.value);
  const outcome = outcomeOfReply(reply);
  return outcome.kind === "rows" ? plain(outcome.rows) : 0;
}

/** Returns rows as texts, so that -0 equals 0. */
const plain = (rows: readonly unknown[]): readonly string[] => rows.map((row) => JSON.stringify(row));
