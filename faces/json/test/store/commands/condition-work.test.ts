/**
 * Tests that the work of a write's conditions is the same on each daemon: it must not depend on earlier reads, which
 * build columns of values.
 */
import "../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { EffortBudget, SLICE_STEPS } from "../../../../../daemon/store/keyspace/effort-budget.js";
import { parseJson } from "../../../../../protocol/json/json-reader.js";
import { type Work, workOf } from "../../../../mongo/store/queries/mongo-failure.js";
import { selectionOf } from "../../../store/commands/document-reads.js";
import { selected } from "../../../store/commands/document-selection.js";
import { filterIn } from "../../../store/commands/entry-conditions.js";
import { Document } from "../../../store/values/document.js";

const ENTRIES = 200;
const list = JSON.stringify(Array.from({ length: 600 }, (_, n) => n));

function filled(): Document {
  const document = new Document();
  for (let n = 0; n < ENTRIES; n++) document.push(String(n), `{"l":${list},"a":${n % 7 === 0 ? '"x"' : 1}}`);
  return document;
}

/** Finds the entries that meet a condition. @returns the counted work */
function workOn(document: Document): number {
  const work = workOf(new EffortBudget());
  const where = filterIn(parseJson('{"l":{"$gt":600},"a":"x"}'));
  assert.equal(selected(document, 1, selectionOf({ where }, work)).size, 0);
  return work.units;
}

test("a condition counts the same work with and without earlier reads", () => {
  const [cold, warm] = [filled(), filled()];
  for (let reads = 0; reads < 3; reads++)
    assert.equal(selected(warm, 1, selectionOf({ where: filterIn(parseJson('{"a":"x"}')) })).size, 29);
  // Without a column, all entries are checked.
  const all = cold.select();
  cold.select = () => all;
  const units = workOn(cold);
  assert.ok(units > 0);
  assert.equal(workOn(warm), units);
});

test("a read with many conditions on long lists yields between the conditions of one entry", () => {
  const document = new Document();
  const numbers = JSON.stringify(Array.from({ length: 20_000 }, (_, n) => n));
  for (const last of [-1, -2]) document.push(String(-last), `{"l":${numbers},"m":[${last}]}`);
  const none = Array.from({ length: 150 }, (_, n) => `{"l":${-5 - n}}`).join(",");

  const where = filterIn(parseJson(`{"$nor":[${none}],"$or":[${none},{"m":-2}]}`));
  const selection = selectionOf({ where });
  const { effort } = selection.work as Work;
  const reply = selected(document, 1, selection);
  const steps = reply.steps();
  let [yields, longest] = [0, 0];
  for (let before = 0; steps.next().done !== true; before = effort.steps) {
    longest = Math.max(longest, effort.steps - before);
    yields++;
  }

  assert.deepEqual(reply.found.keys, ["2"]);
  assert.ok(yields >= 300, `${yields} yields`);
  assert.ok(longest < 3 * SLICE_STEPS, `${longest} steps without a yield`);
});
