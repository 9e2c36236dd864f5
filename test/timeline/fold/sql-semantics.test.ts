/**
 * Tests SQL in the fold: English statements that write retain their meaning until CLUSTER SEMANTICS 2, and statements
 * with keywords of version 3 are errors until CLUSTER SEMANTICS 3, whenever the switch arrives. DBSYNC_SEED replays a
 * run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { canonicalState } from "../../../store/canonical-state.js";
import { Database } from "../../../store/database.js";
import { SEMANTICS } from "../../../store/semantics.js";
import { parse } from "../../../store/sql/parse.js";
import { SqlMistake } from "../../../store/sql/syntax-error.js";
import { Fold } from "../../../timeline/fold/fold.js";
import { shown } from "../../conformance/resp2-fold.js";
import { SqlWriter } from "../../store/commands/relations/sql-writer.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { AT, entry, key, ROOT } from "../support/fold-subject.js";
import { genesisRing } from "../support/random-timeline.js";

const byRoot = { key: key(ROOT) };
const sql = (name: string, at: number, statement: string) =>
  entry(name, at, [["SQL", "d", statement]], byRoot);

const UPDATE = "update t set n = n + 1";
const TABLE = [
  sql("a", 1, "create database d"),
  sql("b", 2, "create table t (n number)"),
  sql("c", 3, "insert into t values (null), (1)"),
];

const newFold = () =>
  new Fold({ database: new Database(), ring: genesisRing({ hasRoots: true }), cutAt: AT });
const rows = ({ database }: Fold) =>
  shown(
    database.execute(["SQL", "d", "select n from t order by n"], { at: AT + 1_000_000, db: 0, id: "ask" }),
  );

test("null counts as 0 in commands recorded before the switch, and is null after it", () => {
  const fold = newFold();
  fold.merge([...TABLE, sql("e", 5, UPDATE)]);
  assert.match(rows(fold), /"rows" \[\[,1\] \[,2\]\]/);
  fold.merge([entry("d", 4, ["CLUSTER SEMANTICS 2"], byRoot)]);
  assert.match(rows(fold), /"rows" \[\[(?:nil|null|_)\] \[,2\]\]/);
});

test("a comment in a writing statement is an error before the switch, and the error names it", () => {
  const fold = newFold();
  const [outcome] = fold.merge([...TABLE, sql("e", 5, "delete from t -- all")]).slice(-1);
  assert.match(shown(outcome?.answers[0]?.reply ?? { kind: "nil" }), /CLUSTER SEMANTICS 2/);
  fold.merge([entry("d", 4, ["CLUSTER SEMANTICS 2"], byRoot)]);
  assert.match(rows(fold), /"rows" \[\]/);
});

test("a list of values is an error before CLUSTER SEMANTICS 3, and the error names it", () => {
  const fold = newFold();
  const remove = sql("f", 6, "delete from t where n in (1, 2)");
  const [outcome] = fold.merge([...TABLE, entry("d", 4, ["CLUSTER SEMANTICS 2"], byRoot), remove]).slice(-1);
  assert.match(shown(outcome?.answers[0]?.reply ?? { kind: "nil" }), /CLUSTER SEMANTICS 3"?$/);
  assert.match(rows(fold), /"rows" \[\[(?:nil|null|_)\] \[,1\]\]/);
  fold.merge([entry("e", 5, ["CLUSTER SEMANTICS 3"], byRoot)]);
  assert.match(rows(fold), /"rows" \[\[(?:nil|null|_)\]\]/);
});

const RUNS = amount(5, 100);
const seed = seedOfRun();

/** Runs a statement under a semantics version. */
function run(database: Database, version: number, statement: string): string {
  const argv = ["SQL", "d", bytesOfText(statement)];
  const row = SEMANTICS.table(version)?.resolve(argv);
  if (row === undefined || !("run" in row)) throw new Error("no such row");
  return shown(database.run(row, argv, { at: AT, db: 0, id: "unit" }));
}

test(`a recorded statement has the same meaning under versions 2 and 3, or is an error under 1 and 2 (seed ${seed})`, () => {
  let [extended, others] = [0, 0];
  for (let number = 0; number < RUNS; number++) {
    const writer = new SqlWriter(new SeededRandom(seed, number));
    const [first, second, third] = [new Database(), new Database(), new Database()];
    const all = [
      "create database d",
      ...writer.tables(),
      ...Array.from({ length: 100 }, () => writer.statement()),
    ];
    for (const statement of all) {
      const { isExtended, statement: tree } = parse(bytesOfText(statement));
      if (tree instanceof SqlMistake || tree.kind === "query") continue;
      const where = `seed ${seed}, run ${number}: ${statement}`;
      if (!isExtended) {
        others++;
        assert.equal(run(second, 2, statement), run(third, 3, statement), where);
        run(first, 1, statement);
        assert.deepEqual(canonicalState(second), canonicalState(third), where);
        continue;
      }
      extended++;
      for (const [version, database] of [
        [1, first],
        [2, second],
      ] as const) {
        const before = canonicalState(database);
        assert.match(run(database, version, statement), /CLUSTER SEMANTICS 3"?$/, where);
        assert.deepEqual(canonicalState(database), before, where);
      }
      // Earlier releases parsed it only as a call, which may have any name, and refused it when they ran it.
      const recorded = parse(bytesOfText(statement), "recorded").statement;
      assert.ok(
        recorded instanceof SqlMistake || /\b(?:abs|round|length|coalesce|lower|upper)\(/i.test(statement),
        where,
      );
    }
  }
  assert.ok(extended > RUNS && others > RUNS, `${extended} extended, ${others} others`);
});
