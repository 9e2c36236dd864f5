/**
 * Compares tables with arrays: the order of rows, indexes that agree with a scan, and inverses that restore
 * everything.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { STEP_ITEMS } from "../../../../../protocol/steps.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import type { Cell, Row } from "../../../store/values/cell.js";
import {
  boundCell,
  type Domain,
  domainOfText,
  domainText,
  fits,
  isDate,
} from "../../../store/values/domain.js";
import { Table } from "../../../store/values/table.js";

const seed = seedOfRun();
const RUNS = amount(10, 25);
const CHANGES = 80;

const column = (name: string) => ({ name, domain: [], uniqueness: "none" }) as const;
const CELLS: readonly Cell[] = [null, 0, 1, 2, "1", "2", "a", "true", ""];

test(`after any changes rows, indexes and inverses match an array (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const table = new Table([column("a"), column("b")]);
    const inverses: (() => void)[] = [];
    const states: (readonly Row[])[] = [];
    for (let change = 0; change < CHANGES; change++) {
      states.push([...table.rows]);
      inverses.push(randomChange(random, table));
      if (change === 20) table.index(0);
      if (random.chance(0.3)) checkIndexes(table, `seed ${seed}, run ${run}`);
      // Some changes are undone immediately.
      if (random.chance(0.2)) {
        inverses.pop()?.();
        assert.deepEqual(table.rows, states.pop());
      }
    }
    for (const state of states.reverse()) {
      inverses.pop()?.();
      assert.deepEqual([...table.rows], state, `seed ${seed}, run ${run}`);
      if (random.chance(0.1)) checkIndexes(table, `seed ${seed}, run ${run}`);
    }
    assert.equal(table.size, 0);
  }
});

/** Makes a random change. @returns a function that undoes it */
function randomChange(random: SeededRandom, table: Table): () => void {
  const row = (): Row => [random.oneOf(CELLS), random.oneOf(CELLS)];
  const kind = random.below(10);
  const numbers = [...table.numbered()].map(([number]) => number);
  if (kind < 5 || numbers.length === 0) {
    const count = random.oneOf([1, 1, 2, 150]);
    for (let remaining = count; remaining > 0; remaining--) table.push(row());
    return () => table.pop(count);
  }

  const part = random.oneOf([0.01, 0.5, 1]);
  const chosen = numbers.filter(() => random.chance(part));
  if (kind < 7) {
    const old = table.set({ numbers: chosen, rows: chosen.map(row) });
    return () => void table.set(old);
  }
  const removed = table.remove(chosen);
  return () => table.restore(removed);
}

function checkIndexes(table: Table, where: string): void {
  for (const column of [0, 1])
    for (const cell of ["1", "a", "true", 0, 1, null] as const) {
      const matches = [...table.numbered()].filter(([, row]) => equal(row[column] as Cell, cell));
      assert.deepEqual(
        [...table.index(column).equal(cell)],
        matches.map(([number]) => number),
        `${where}, ${cell}`,
      );
      for (const [number, row] of matches) assert.equal(table.row(number), row);
    }
}

function equal(one: Cell, other: Cell): boolean {
  if (one === null || other === null) return false;
  const number = (cell: Cell) => (cell === "true" ? 1 : /^[12]$/.test(String(cell)) ? Number(cell) : 0);
  return typeof one === typeof other ? one === other : number(one) === number(other);
}

test("holes of removed rows are closed, so that searches stay fast", () => {
  const table = new Table([column("a")]);
  for (let i = 0; i < 1000; i++) table.push([i]);
  const all = [...table.numbered()].map(([number]) => number);
  const removed = table.remove(all.slice(0, 999));
  assert.deepEqual([...table.rows], [[999]]);
  table.push([1000]);
  table.pop(1);
  table.restore(removed);
  assert.deepEqual(
    table.rows.map(([a]) => a),
    all,
  );
});

test("a domain accepts each value that one of its types accepts, and is parsed from its text", () => {
  const domain: Domain = [
    { kind: "number", min: 0, max: 9 },
    { kind: "text", min: 1, max: 2 },
    { kind: "date" },
    { kind: "enumeration", allowed: ["mena", 3.5] },
  ];
  for (const cell of [null, 0, 9, "ab", "\xc3\xa9\xe2\x98\x83", "2026-11-21", "mena", 3.5])
    assert.ok(fits(domain, cell));
  for (const cell of [-1, 10, "", "abc", "2026-13-01", "Mena"]) assert.ok(!fits(domain, cell));
  assert.deepEqual(domainOfText(domainText(domain)), domain);
  for (const text of ["", "[", "{}", "[1]", '[["number",1]]', '[["other"]]', '[["enumeration",[]]]'])
    assert.equal(domainOfText(text), undefined, text);
});

test("a day is a date if the calendar contains it", () => {
  for (const text of [
    "2026-11-21",
    "2024-02-29",
    "2000-02-29",
    "0001-01-01",
    "2026-11-21 18:30",
    "2026-11-21T18:30:00.25",
  ])
    assert.ok(isDate(text), text);
  for (const text of [
    "2026-02-29",
    "1900-02-29",
    "2026-00-10",
    "2026-04-31",
    "2026-11-21 24:00",
    "26-11-21",
    "2026-11-21x",
    "",
  ])
    assert.ok(!isDate(text), text);
});

test("a bound value is converted by the first type that accepts it", () => {
  const number = { kind: "number", min: null, max: 100 } as const;
  const text = { kind: "text", min: null, max: 3 } as const;
  assert.equal(boundCell([number, text], "12"), 12);
  assert.equal(boundCell([text, number], "12"), "12");
  assert.equal(boundCell([number, text], "007"), 7);
  assert.equal(boundCell([text, number], "007"), "007");
  assert.equal(boundCell([number], "-1.5"), -1.5);
  for (const text of ["1000", "1e3", "1e999", "0x1", "", "x"])
    assert.equal(boundCell([number], text), undefined, text);
});

test("a read that searches texts for a number ignores changes made meanwhile, and later reads find them", () => {
  const rows = 3 * STEP_ITEMS;
  const textOf = (i: number) => (i % 2 === 0 ? `w${i}` : String(i % 7));
  for (let changedAt = 0; changedAt < 12; changedAt++) {
    const table = new Table([column("a")]);
    for (let i = 0; i < rows; i++) table.push([textOf(i)]);
    table.index(0);
    const reading = table.reading();
    const work = reading.equal(0, 3);
    const expected = [...Array(rows).keys()].filter((i) => textOf(i) === "3");
    for (let step = 0; ; step++) {
      const { done, value } = work.next();
      if (done === true) {
        assert.deepEqual(value, expected, `changed at step ${changedAt}`);
        break;
      }
      if (step === changedAt) table.push(["3"]);
    }
    const isChanged = table.size > rows;
    assert.deepEqual(
      table.index(0).equal(3),
      isChanged ? [...expected, rows] : expected,
      `changed at step ${changedAt}`,
    );
    reading.release();
  }
});
