/** What SQL means in the fold: English statements that write keep their meaning until CLUSTER SEMANTICS 2, wherever it comes in time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../store/database.js";
import { Fold } from "../../../timeline/fold/fold.js";
import { shown } from "../../conformance/resp2-fold.js";
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

test("null counts for 0 in what was recorded before the switch, and is null after it", () => {
  const fold = newFold();
  fold.merge([...TABLE, sql("e", 5, UPDATE)]);
  assert.match(rows(fold), /"rows" \[\[,1\] \[,2\]\]/);
  fold.merge([entry("d", 4, ["CLUSTER SEMANTICS 2"], byRoot)]);
  assert.match(rows(fold), /"rows" \[\[(?:nil|null|_)\] \[,2\]\]/);
});

test("a comment in a statement that writes is an error before the switch, which the error names", () => {
  const fold = newFold();
  const [outcome] = fold.merge([...TABLE, sql("e", 5, "delete from t -- all")]).slice(-1);
  assert.match(shown(outcome?.answers[0]?.reply ?? { kind: "nil" }), /CLUSTER SEMANTICS 2/);
  fold.merge([entry("d", 4, ["CLUSTER SEMANTICS 2"], byRoot)]);
  assert.match(rows(fold), /"rows" \[\]/);
});
