/** Runs aggregates in steps, and counts the steps between their yields. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import { EffortBudget } from "../../../../../daemon/store/keyspace/effort-budget.js";
import { SteppedReply } from "../../../../../protocol/lazy-replies.js";
import type { Reply } from "../../../../../protocol/reply.js";
import { unit } from "../../../../../test/daemon/store/effort-state.js";
import { textOf } from "../commands/mdb-under-test.js";

export type Json = string | number | null | readonly Json[] | { readonly [name: string]: Json };

/** Number of yields after which a query that is still running is abandoned. */
const YIELDS = 12;

export const range = (count: number): Json => ({ $range: [0, count] });

/** Returns a database with a collection of small documents. */
export function collection(): Database {
  const database = new Database();
  const documents = Array.from({ length: 60 }, (_, i) => `{"_id":${i},"n":${i % 5},"l":[1,2,3]}`);
  assert.notEqual(database.execute(["MDB.INSERT", "d", "c", "1", ...documents], unit(1)).kind, "error");
  return database;
}

// biome-ignore lint/correctness/useYield: the reply was found in one step
function* complete(reply: Reply): Generator<void, readonly Reply[]> {
  return [reply];
}

export interface Run {
  /** The largest number of steps between two yields. */
  longest: number;
  yields: number;
  produced: number;
  /** The result, or null if the query was abandoned. */
  result: string | null;
}

/** Runs a query in steps. @param yields  number of yields after which it is abandoned */
export function runOf(database: Database, argv: readonly string[], yields = YIELDS): Run {
  const effort = EffortBudget.ofQuery();
  const making = mock.method(EffortBudget, "ofQuery", () => effort);
  const run: Run = { longest: 0, yields: 0, produced: 0, result: null };
  try {
    const reply = database.execute(argv, { ...unit(2), takesSteps: true });
    const steps = reply instanceof SteppedReply ? reply.steps() : complete(reply);
    for (let before = 0; run.yields <= yields; run.yields++) {
      run.longest = Math.max(run.longest, effort.steps - before);
      before = effort.steps;
      const step = steps.next();
      run.longest = Math.max(run.longest, effort.steps - before);
      if (step.done !== true) continue;
      run.result = textOf((step.value as readonly Reply[])[0] as Reply);
      break;
    }
  } catch (problem) {
    if (!(problem instanceof Error) || !("reply" in problem)) throw problem;
    run.result = textOf(problem.reply as never);
  } finally {
    making.mock.restore();
  }

  run.produced = effort.produced;
  return run;
}

export const aggregate = (pipeline: Json): readonly string[] => [
  "MDB.AGGREGATE",
  "d",
  "c",
  JSON.stringify({ pipeline }),
];
