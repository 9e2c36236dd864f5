/**
 * Tests that the numbers in docs/limits.md "Units" equal the constants and the steps that commands count for each
 * element.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Database } from "../../../daemon/store/database.js";
import {
  BudgetExceeded,
  BYTES_PER_STEP,
  MEMBER_STEPS,
  PRODUCED_MAX,
  QUERY_PRODUCED_MAX,
  READS_PER_STEP,
  SORTED_MEMBER_STEPS,
  STEPS_GRANTED,
  UNIT_STEPS_DEFAULT,
  WALKED_KEY_STEPS,
} from "../../../daemon/store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../../daemon/store/keyspace/undo.js";
import { STEPS_BACK_MAX } from "../../../daemon/store/patterns/glob.js";
import { READ_STEPS, READ_STEPS_PER_ELEMENT } from "../../../daemon/store/read-allowance.js";
import { WORK_MAX as MONGO_WORK_MAX } from "../../../faces/mongo/store/queries/command-cost.js";
import { SOURCE_WORK, WORK_MAX } from "../../../faces/sql/store/commands/evaluation-context.js";
import { PAIRS_MAX } from "../../../faces/sql/store/commands/join-result.js";
import { repositoryRoot } from "../../support/repository.js";
import { type Argv, databaseOfAllTypes, SIZE, unit } from "./effort-state.js";

const page = readFileSync(join(repositoryRoot, "docs/limits.md"), "utf8").replaceAll("\n", " ");
const number = (value: number) => value.toLocaleString("en");

for (const [name, sentence] of Object.entries({
  BYTES_PER_STEP: `${BYTES_PER_STEP} bytes count as one step`,
  MEMBER_STEPS: `a member of a set or hash as ${MEMBER_STEPS}`,
  SORTED_MEMBER_STEPS: `a member of a sorted set as ${SORTED_MEMBER_STEPS}`,
  READS_PER_STEP: `${READS_PER_STEP} elements that are only compared count as one step`,
  WALKED_KEY_STEPS: WALKED_KEY_STEPS === 1 ? "and so does each key that is skipped" : "no such sentence",
  STEPS_GRANTED: `Each argument and each ${BYTES_PER_STEP} bytes of a command grant it ${STEPS_GRANTED} more steps`,
  READ_STEPS: `${number(READ_STEPS)} steps (\`READ_STEPS\`), and ${READ_STEPS_PER_ELEMENT} steps`,
  QUERY_PRODUCED_MAX: `${number(QUERY_PRODUCED_MAX)} elements`,
  PRODUCED_MAX: `a unit with more than ${number(PRODUCED_MAX)} steps`,
  WORK_MAX: `${number(WORK_MAX)} rows (\`WORK_MAX\`)`,
  SOURCE_WORK: `counts as ${number(SOURCE_WORK)} rows`,
  PAIRS_MAX: `${number(PAIRS_MAX)} rows of a join (\`PAIRS_MAX\`)`,
  "WORK_MAX of collections": `${number(MONGO_WORK_MAX)} documents`,
  STEPS_BACK_MAX: `${number(STEPS_BACK_MAX)} backtracking steps (\`STEPS_BACK_MAX\`)`,
}))
  test(`the page states the value of ${name}`, () => {
    assert.ok(page.includes(sentence), sentence);
  });

/** Rows of the table: the command, the steps for each element, and the elements at the default. */
const ROWS = [...page.matchAll(/\| `([^`]+)` \| (\d+) \| ([\d,]+) \|/g)].map(
  (row) => row.slice(1) as [string, string, string],
);

const argvOf = (line: string): Argv => {
  const [name = "", database = "", ...words] = line.split(" ");
  return name.startsWith("SQL") ? [name, database, words.join(" ")] : line.split(" ");
};

/** A command that counts nothing. Since it may write, reads of other commands in its unit count as well. */
const WRITE: Argv = ["PERSIST", "none"];

/** Whether a budget, plus the steps that the size of its arguments grants, suffices for a command. */
function fits(database: Database, argv: Argv, steps: number): boolean {
  const records: UndoRecord[] = [];
  try {
    const reply = database.withBudget(steps, () => database.executeMulti([argv, WRITE], unit(1e6), records));
    assert.ok(
      reply.kind === "array" && reply.items[0]?.kind !== "error",
      JSON.stringify(reply).slice(0, 200),
    );
    return true;
  } catch (problem) {
    if (!(problem instanceof BudgetExceeded)) throw problem;
    return false;
  } finally {
    database.undo(records);
  }
}

/**
 * Returns the smallest sufficient budget of a command, converted.
 * @param converted  does not decrease if its argument increases
 * @param tried  budgets that are tried first, so that few attempts suffice if the result is between them
 */
function leastBudget(
  database: Database,
  argv: Argv,
  converted: (steps: number) => number,
  tried: readonly number[] = [],
): number {
  let none = 0;
  let some = 1_000_000;
  const attempt = (steps: number) => {
    if (fits(database, argv, steps)) some = Math.min(some, steps);
    else none = Math.max(none, steps);
  };
  tried.forEach(attempt);
  while (converted(none + 1) < converted(some)) attempt(Math.floor((none + some) / 2));
  return converted(some);
}

test("the page states the steps of commands for each element, and the number of elements at the default", () => {
  const database = databaseOfAllTypes();
  assert.ok(ROWS.length >= 15, `${ROWS.length} rows`);
  // Each statement also counts steps for its source. They do not belong to any element and are subtracted.
  const nothing: Argv = ["SQL", "d", "insert into t select a, v from t where a = -1"];
  const source = leastBudget(database, nothing, (steps) => steps);
  const measured = ROWS.map(([command, stated]) => {
    const start = command.includes("select") ? source : 0;
    const bounds = [-0.5, 0.5].map((half) => start + (Number(stated) + half) * SIZE - 1);
    const each = leastBudget(
      database,
      argvOf(command),
      (steps) => Math.round((steps - start) / SIZE),
      bounds,
    );
    return [command, String(each), number(Math.floor(UNIT_STEPS_DEFAULT / each / 1000) * 1000)];
  });
  assert.deepEqual(ROWS, measured);
});
