/** Tests functions of long texts: a query yields after few of them, wherever it calculates them. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import { EffortBudget, SLICE_STEPS } from "../../../../../daemon/store/keyspace/effort-budget.js";
import { SteppedReply } from "../../../../../protocol/lazy-replies.js";
import { unit } from "../../../../../test/daemon/store/effort-state.js";
import { amount, isFull } from "../../../../../test/support/amount.js";
import { SCALAR_FUNCTIONS } from "../../../store/grammar/functions.js";

const TEXT_BYTES = 300_000;
const ROWS = amount(16, 40);
/** Number of steps that a query counts for each table that it names, whatever the table contains. */
const SOURCE_STEPS = 40_000;
/** Maximum number of steps without a yield: a slice, a text, and what a query counts for its tables. */
const RUN_STEPS = 2 * SLICE_STEPS + 2 * SOURCE_STEPS;

/** Where a query calculates an expression. */
const QUERIES: readonly ((expression: string) => string)[] = [
  (expression) => `select ${expression} from t`,
  (expression) => `select a from t where ${expression} = 'b'`,
  (expression) => `select a from t order by ${expression}`,
  (expression) => `select max(${expression}) from t`,
  (expression) => `select count(*) from t group by ${expression}`,
  (expression) => `select t.a from t join u on ${expression.replaceAll("v", "t.v")} = 'b' or t.a < u.a`,
];

test("a query yields between functions of long texts", () => {
  const database = new Database();
  const statements = [
    "create table t (a number, v text)",
    "create table u (a number)",
    "insert into u values (1)",
  ];

  database.execute(["SQL", "", "create database d"], unit(1));
  for (const statement of statements)
    assert.notEqual(database.execute(["SQL", "d", statement], unit(2)).kind, "error", statement);
  for (let row = 0; row < ROWS; row++)
    database.execute(
      ["SQL", "d", "insert into t values (?, ?)", String(row), "aB".repeat(TEXT_BYTES / 2)],
      unit(3),
    );

  let yielding = 0;
  for (const [i, [name, { min }]] of [...SCALAR_FUNCTIONS].entries())
    for (const query of isFull ? QUERIES : QUERIES.slice(i % QUERIES.length).slice(0, 1)) {
      const text = query(min === 1 ? `${name}(v)` : `${name}(${Array(min).fill("lower(v)").join(",")})`);
      const effort = EffortBudget.ofQuery();
      const making = mock.method(EffortBudget, "ofQuery", () => effort);
      const reply = database.execute(["SQL", "d", text], { ...unit(4), takesSteps: true });
      making.mock.restore();
      if (!(reply instanceof SteppedReply)) continue;

      const steps = reply.steps();
      let [before, yields] = [effort.steps, 0];
      try {
        while (steps.next().done !== true) {
          assert.ok(
            effort.steps - before <= RUN_STEPS,
            `${effort.steps - before} steps without a yield: ${text}`,
          );
          before = effort.steps;
          yields++;
        }
      } catch (problem) {
        // Some functions accept only numbers.
        if (!(problem instanceof Error) || !("reply" in problem)) throw problem;
      }
      if (yields >= 2) yielding++;
    }

  // Comparisons of the texts yield too, in about half of these queries.
  assert.ok(yielding >= amount(5, 24), `only ${yielding} queries yielded`);
});

test("a change that compares a long text with many numbers is refused", () => {
  const database = new Database();
  const execute = (...argv: readonly string[]) => database.execute(["SQL", ...argv], unit(1));
  execute("", "create database d");
  execute("d", "create table t (a number, v text)");

  const rows = Array.from({ length: 2000 }, (_, i) => `(${i}, null)`).join(", ");
  assert.equal(execute("d", `insert into t values ${rows}`).kind, "integer");

  database.unitStepsMax = 1_000_000;
  const digits = "1".repeat(TEXT_BYTES);
  for (const condition of [
    "a < ?",
    "? != a",
    "a between 0 and ?",
    "case a when ? then 1 else 0 end",
    "a + ? < 5",
    "not (? and a < 0)",
    "? in (select a from t)",
    "? in (1, 2)",
  ]) {
    const reply = execute("d", `delete from t where ${condition}`, digits);
    assert.match(reply.kind === "error" ? reply.text : reply.kind, /^TOOMUCH|becomes too large/, condition);
  }

  for (const condition of ["a < ?", "a = ? na a < 0", "! ? ary a < 0"]) {
    const reply = execute("d", `fafao ao t rehefa ${condition}`, digits);
    assert.match(reply.kind === "error" ? reply.text : reply.kind, /^TOOMUCH/, condition);
  }
});
