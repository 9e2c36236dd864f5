/**
 * Tests that SCAN, HSCAN, SSCAN and ZSCAN return each element that exists from their first page to their last, although
 * late entries undo and redo the writes of elements between the pages. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { entry, Subject } from "../support/fold-subject.js";

/** The number of elements. It exceeds the number that a hash, a set or a sorted set returns in one page. */
const ELEMENTS = 600;
const LATE = 40;
const RUNS = 5;

const seed = seedOfRun();

interface Family {
  readonly command: string;
  add(element: string): string;
  remove(element: string): string;
  page(cursor: string): string;
  /** Reply items for each element. */
  readonly items: number;
}

const families: readonly Family[] = [
  {
    command: "SCAN",
    add: (element) => `SET ${element} 1`,
    remove: (element) => `DEL ${element}`,
    page: (cursor) => `SCAN ${cursor}`,
    items: 1,
  },
  {
    command: "HSCAN",
    add: (element) => `HSET h ${element} 1`,
    remove: (element) => `HDEL h ${element}`,
    page: (cursor) => `HSCAN h ${cursor}`,
    items: 2,
  },
  {
    command: "SSCAN",
    add: (element) => `SADD s ${element}`,
    remove: (element) => `SREM s ${element}`,
    page: (cursor) => `SSCAN s ${cursor}`,
    items: 1,
  },
  {
    command: "ZSCAN",
    add: (element) => `ZADD z 1 ${element}`,
    remove: (element) => `ZREM z ${element}`,
    page: (cursor) => `ZSCAN z ${cursor}`,
    items: 2,
  },
];

/** Returns the cursor of the next page, and the elements of the current page. */
function pageOf(subject: Subject, family: Family, cursor: string, count: number): [string, string[]] {
  const answer = subject.ask(`${family.page(cursor)} COUNT ${count}`);
  const [, next = "", items = ""] = /^\["(\d+)" \[(.*)\]\]$/.exec(answer) ?? [];
  assert.notEqual(next, "", answer);
  const found = items.split(" ").filter((_, i) => i % family.items === 0);
  return [next, found.map((item) => item.slice(1, -1))];
}

for (const family of families)
  for (let run = 0; run < RUNS; run++)
    test(`${family.command} skips no element whose write is redone (seed ${seed}, run ${run})`, () => {
      const random = new SeededRandom(seed, run);
      const names = Array.from({ length: ELEMENTS }, (_, number) => `stays:${number}`);
      const subject = new Subject();
      // The dates leave space for a late write before each of these writes.
      for (const [i, name] of names.entries())
        subject.merge(entry(`e${i}`, 1000 + 10 * i, [family.add(name)]));

      const found = new Set<ByteString>();
      let cursor = "0";
      let late = 0;
      do {
        const [next, elements] = pageOf(subject, family, cursor, random.between(1, 15));
        for (const element of elements) found.add(element);
        cursor = next;
        if (late >= LATE) continue;
        // The late unit is dated before the write of element `name`. It adds this element, or another one, which it may
        // also remove again.
        const at = random.below(ELEMENTS);
        const [name, other] = [names[at] as string, `late:${late}`];
        const units = random.oneOf([
          [family.add(name)],
          [family.add(other)],
          [family.add(other), family.remove(other)],
        ]);
        subject.merge(entry(`l${late++}`, 995 + 10 * at, units));
      } while (cursor !== "0");
      assert.ok(late > 10, "late writes arrived between the pages");
      assert.deepEqual(
        names.filter((name) => !found.has(name)),
        [],
      );
    });

test("the example of decision 63: SCAN skips no key after a late write to b", () => {
  const subject = new Subject();
  for (const [i, name] of ["a", "b", "c"].entries())
    subject.merge(entry(name, 10 + 10 * i, [`SET ${name} 1`]));
  const family = families[0] as Family;
  const found: string[] = [];
  let cursor = "0";
  do {
    const [next, elements] = pageOf(subject, family, cursor, 1);
    if (found.length === 0) subject.merge(entry("late", 15, ["SET b 0"]));
    found.push(...elements);
    cursor = next;
  } while (cursor !== "0");
  assert.deepEqual(found.sort(), ["a", "b", "c"]);
});
