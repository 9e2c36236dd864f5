/**
 * Tests counted ids of a document's entries (`DOC.INSERT document COUNT`): every order of arrival produces the same
 * ids, and no entry is lost.
 */
import "../../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../daemon/store/database.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { Fold } from "../../../../daemon/timeline/fold/fold.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { AT, entry, key, ROOT } from "../support/fold-subject.js";
import { genesisRing } from "../support/random-timeline.js";

const byRoot = { key: key(ROOT) };
const GREATEST = "999999999999999";
const seed = seedOfRun();

const write = (name: string, at: number, ...argv: string[]): Entry => entry(name, at, [argv], byRoot);
const insert = (name: string, at: number, ...marks: string[]): Entry =>
  write(name, at, "DOC.INSERT", "d", "COUNT", ...marks.map((mark) => JSON.stringify({ mark })));
const newFold = () =>
  new Fold({ database: new Database(), ring: genesisRing({ hasRoots: true }), cutAt: AT });
const query = ({ database }: Fold, ...argv: string[]) =>
  shown(database.execute(argv, { at: AT + 1_000_000, db: 0, id: "ask" }));

/** Returns the ids of a document's entries by the entries' `mark` values. */
function idsIn(fold: Fold): Map<string, string> {
  const items = query(fold, "DOC.GET", "d").matchAll(/"([^"]+)" "\{\\"mark\\":\\"([^"\\]+)\\"\}"/g);
  return new Map([...items].map(([, id, mark]) => [mark as string, id as string]));
}

function* permutations<A>(all: readonly A[]): Generator<readonly A[]> {
  if (all.length === 0) yield [];
  for (const [at, first] of all.entries())
    for (const remaining of permutations([...all.slice(0, at), ...all.slice(at + 1)]))
      yield [first, ...remaining];
}

/** Merges entries one by one, in every order. @returns the ids, which are the same for all orders */
function idsOf(entries: readonly Entry[], before: readonly Entry[] = []): Map<string, string> {
  const states: [string[], Map<string, string>][] = [];
  for (const order of permutations(entries)) {
    const fold = newFold();
    for (const one of [...before, ...order]) fold.merge([one]);
    states.push([canonicalState(fold.database), idsIn(fold)]);
  }
  const [first] = states as [(typeof states)[0]];
  for (const [state, ids] of states) {
    assert.deepEqual(state, first[0]);
    assert.deepEqual([...ids], [...first[1]]);
  }
  return first[1];
}

test("ids count from 0 in the order of the entries, across the inserts of several daemons", () => {
  const ids = idsOf(
    [insert("a", 10, "a"), insert("b", 10, "b1", "b2"), insert("c", 11, "c"), insert("e", 12, "e")],
    [write("create", 1, "DOC.CREATE", "d")],
  );
  assert.deepEqual(Object.fromEntries(ids), { a: "0", b1: "1", b2: "2", c: "3", e: "4" });
});

test("no two entries share an id after a deletion, an insert with a key, or DOC.EMPTY", () => {
  const before = [write("create", 1, "DOC.CREATE", "d"), insert("a", 2, "a1", "a2")];
  const keys = write("k", 11, "DOC.INSERT", "d", "KEYS", "7", '{"mark":"k"}');
  const removal = write("r", 12, "DOC.DELETE", "d", "7");
  const ids = idsOf(
    [insert("b", 10, "b"), keys, removal, insert("c", 13, "c"), insert("e", 13, "e")],
    before,
  );
  assert.deepEqual(Object.fromEntries(ids), { a1: "0", a2: "1", b: "2", c: "8", e: "9" });
  const emptied = idsOf(
    [insert("b", 10, "b"), write("m", 11, "DOC.EMPTY", "d"), insert("c", 12, "c"), insert("e", 13, "e")],
    before,
  );
  assert.deepEqual(Object.fromEntries(emptied), { c: "0", e: "1" });
});

test("entries keep 19-digit ids of inserts without COUNT, and counting continues below these ids", () => {
  const old = write("o", 10, "DOC.INSERT", "d", '{"mark":"o"}');
  const ids = idsOf(
    [old, insert("a", 11, "a"), insert("b", 12, "b")],
    [
      write("create", 1, "DOC.CREATE", "d"),
      write("k", 2, "DOC.INSERT", "d", "KEYS", String(2 ** 53 - 1), '{"mark":"k"}'),
    ],
  );
  assert.match(ids.get("o") as string, /^\d{19}$/);
  assert.deepEqual([ids.get("a"), ids.get("b")], ["0", "1"]);
  assert.equal(ids.size, 4);
});

test("above the highest number entries receive other ids below 2^53", () => {
  const create = write("create", 1, "DOC.CREATE", "d");
  const greatest = write("g", 9, "DOC.INSERT", "d", "KEYS", GREATEST, '{"mark":"g"}');
  const inserts = [insert("a", 10, "a1", "a2"), insert("b", 10, "b")];
  const upsert = write(
    "u",
    11,
    "DOC.UPDATE",
    "d",
    '{"mark":"u"}',
    "WHERE",
    '{"mark":"-"}',
    "UPSERT",
    "COUNT",
  );

  const ids = idsOf([greatest, ...inserts, upsert], [create]);
  assert.deepEqual([...ids.keys()].sort(), ["a1", "a2", "b", "g", "u"]);
  assert.equal(new Set(ids.values()).size, ids.size);
  for (const id of ids.values()) assert.ok(Number.isSafeInteger(Number(id)), id);
});

test(`the ids of many daemons' inserts are 0, 1, 2, … in order, in any order of arrival (seed ${seed})`, () => {
  for (let run = 0; run < amount(8, 60); run++) {
    const random = new SeededRandom(seed, run);
    const count = 2 + random.below(30);
    const inserts = Array.from({ length: count }, (_, at) =>
      insert(`i${at}`, 2 + random.below(10), `m${at}`),
    );
    const folds = [inserts, random.shuffled(inserts)].map((order) => {
      const fold = newFold();
      fold.merge([write("create", 1, "DOC.CREATE", "d")]);
      for (let from = 0; from < order.length; ) {
        const to = from + 1 + random.below(5);
        fold.merge(order.slice(from, to));
        from = to;
      }
      return fold;
    });
    const [here, there] = folds.map(idsIn) as [Map<string, string>, Map<string, string>];
    assert.deepEqual([...here], [...there], `DBSYNC_SEED=${seed} run ${run}`);
    assert.deepEqual(
      [...here.values()],
      Array.from({ length: count }, (_, id) => String(id)),
    );
  }
});
