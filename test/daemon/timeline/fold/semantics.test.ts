/**
 * Tests CLUSTER SEMANTICS in the fold. Each unit has the meaning that the key ring defines at its position, in any
 * order of arrival. A release that does not know this meaning applies nothing. DBSYNC_SEED replays a run,
 * DBSYNC_SEEDS makes it longer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { canonicalRing, canonicalState } from "../../../../daemon/store/canonical-state.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import { Database } from "../../../../daemon/store/database.js";
import { CommandIndex } from "../../../../daemon/store/rows/command-index.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import { readRow, rowIn, Semantics } from "../../../../daemon/store/semantics.js";
import { compareEntries, type Entry, orderKeyOf } from "../../../../daemon/timeline/entries/entry.js";
import { Fold } from "../../../../daemon/timeline/fold/fold.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { amount } from "../../../support/amount.js";
import { hasCode } from "../../../support/installed-families.js";
import { EARLIER_SEMANTICS, NEXT_SEMANTICS } from "../../../support/next-semantics.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { AT, entry, hexId, key, pem, ROOT, unitOf } from "../support/fold-subject.js";
import { naiveFold } from "../support/naive-fold.js";
import { genesisRing } from "../support/random-timeline.js";

const RUNS = Number(process.env["DBSYNC_SEEDS"] ?? amount(30, 200));
const seed = seedOfRun();
const DATABASES = 3;

const byRoot = { key: key(ROOT) };
const switchTo = (name: string, at: number, number: number | string, by = byRoot) =>
  entry(name, at, [`CLUSTER SEMANTICS ${number}`], by);

const newFold = (known: Semantics = NEXT_SEMANTICS) =>
  new Fold({
    database: new Database({ databases: DATABASES }),
    ring: genesisRing({ hasRoots: true }, known),
    cutAt: AT,
  });

const statesOf = ({ database, ring }: Pick<Fold, "database" | "ring">) => [
  ...canonicalState(database),
  ...canonicalRing(ring),
  `semantics ${ring.semantics}`,
];

const query = ({ database }: Fold, line: string) =>
  shown(database.execute(line.split(" "), { at: AT + 1_000_000, db: 0, id: "ask" }));

const repliesOf = (fold: Fold, ...entries: readonly Entry[]) =>
  fold.merge(entries).flatMap(({ answers }) => answers.map(({ reply }) => shown(reply)));

test("a command has the meaning of the version at its position", () => {
  const fold = newFold();
  fold.merge([entry("a", 1, ["INCR n"]), switchTo("b", 2, 2), entry("c", 3, ["INCR n", "TWICE n"])]);
  assert.equal(query(fold, "GET n"), '"1111"');
  assert.equal(fold.ring.semantics, 2);
});

test("a late switch redoes the later units whose meaning differs, and no others", () => {
  const fold = newFold();
  const before = ["INCR n", "SET k 1", "TWICE k"];
  fold.merge([entry("a", 1, before), entry("c", 3, ["INCR n"]), entry("d", 4, ["SET x 1"])]);
  fold.merge([entry("e", 5, ["APPEND x 2 3"])]);
  assert.equal(query(fold, "MGET n k x"), '["2" "1" "1"]');
  const { redone } = fold;
  fold.merge([switchTo("b", 2, 2)]);
  assert.equal(query(fold, "MGET n k x"), '["11" "1" "123"]');
  assert.equal(fold.redone - redone, 2);
});

test("a switch that turns out not to be permitted is undone", () => {
  const fold = newFold();
  const delegate = { key: key(3) };
  fold.merge([
    entry("a", 1, [["KEY", "ADD", pem(3), "RULES", "+@all", "~*"]], byRoot),
    switchTo("c", 3, 2, delegate),
    entry("d", 4, ["INCR n"]),
  ]);
  assert.equal(query(fold, "GET n"), '"10"');
  fold.merge([entry("b", 2, [["KEY", "REVOKE", hexId(3)]], byRoot)]);
  assert.equal(query(fold, "GET n"), '"1"');
  assert.equal(fold.ring.semantics, 1);
});

test("the first of several switches to the same version counts, and no switch skips a version", () => {
  const fold = newFold();
  const replies = repliesOf(
    fold,
    ...["0", "-1", "2x", "1000000000", "9999999999", "+2", "02"].map((text, i) =>
      switchTo(`n${i}`, i + 1, text),
    ),
    switchTo("one", 20, 1),
    switchTo("three", 21, 3),
    switchTo("by an application", 22, 2, { key: key(0) }),
    switchTo("two", 30, 2),
    switchTo("two again", 31, 2),
  );

  const refusal = "not a version of the semantics, which is a positive integer";
  assert.deepEqual(replies.slice(0, 7), [
    ...["0", "-1", "2x", "1000000000", "9999999999", "+2", "02"].map(
      (text) => `-"ERR '${text}' is ${refusal}"`,
    ),
  ]);

  assert.match(replies[7] as string, /only version 2 can follow, not 1/);
  assert.match(replies[8] as string, /only version 2 can follow, not 3/);
  assert.match(replies[9] as string, /NOPERM/);
  assert.equal(replies[10], '+"OK"');
  assert.match(replies[11] as string, /semantics is 2: only version 3 can follow, not 2/);
});

test("rules of keys are read with the command table of their position", () => {
  const fold = newFold();
  const limited = { key: key(3) };
  const rules = (name: string, at: number) =>
    entry(name, at, [["KEY", "RULES", hexId(3), "+twice", "~k"]], byRoot);
  const replies = repliesOf(
    fold,
    entry("a", 1, [["KEY", "ADD", pem(3), "RULES", "+@write", "~k"]], byRoot),
    rules("b", 2),
    entry("c", 3, ["SET k 1"], limited),
    switchTo("d", 4, 2),
    entry("e", 5, ["TWICE k"], limited),
    rules("f", 6),
    entry("g", 7, ["TWICE k", "INCR k"], limited),
  );
  assert.match(replies[1] as string, /no such command/);
  assert.deepEqual(replies.slice(4, 7), [":2", '+"OK"', ":4"]);
  assert.match(replies[7] as string, /NOPERM/);
});

test("a release that does not know the version applies no unit after the switch, in any order of arrival", () => {
  const fold = newFold(EARLIER_SEMANTICS);
  fold.merge([entry("a", 1, ["INCR n"]), entry("e", 5, ["INCR n"]), entry("f", 6, ["SET x 1"])]);
  fold.merge([switchTo("d", 4, 2)]);
  assert.deepEqual([query(fold, "GET n"), query(fold, "GET x")], ['"1"', "nil"]);
  assert.equal(fold.end?.at, AT + 4);
  fold.merge([entry("g", 7, ["INCR n"], {}), entry("h", 8, [["KEY", "ADD", pem(3)]], byRoot)]);
  fold.merge([entry("b", 2, ["INCR n"])]);
  assert.equal(query(fold, "GET n"), '"2"');
  assert.equal(fold.ring.find(key(3)), undefined);
  assert.notEqual(
    fold.ring.named.find(key(3)),
    undefined,
    "other members rely on the key for checking signatures",
  );

  fold.cut(AT + 1000);
  assert.equal(fold.cutAt, AT + 3, "entries that are not applied are not cut");
  assert.throws(() => fold.merge([entry("c", 3, ["INCR n"])]), /arrived after the cut/);
});

test("a fold that left out entries has to begin again if the switch that ended it is undone", () => {
  const fold = newFold(EARLIER_SEMANTICS);
  const delegate = { key: key(3) };
  const add = entry("a", 1, [["KEY", "ADD", pem(3), "RULES", "+@all", "~*"]], byRoot);
  fold.merge([add, switchTo("c", 3, 2, delegate), entry("d", 4, ["INCR n"])]);
  const before = statesOf(fold);
  const revocation = entry("b", 2, [["KEY", "REVOKE", hexId(3)]], byRoot);
  assert.equal(fold.mergeWithin(Number.POSITIVE_INFINITY, [revocation]), null);
  assert.deepEqual(statesOf(fold), before);
});

test("an unknown version also ends the fold when its entry is replayed", () => {
  const fold = newFold(EARLIER_SEMANTICS);
  for (const each of [entry("a", 1, ["INCR n"]), switchTo("b", 2, 2), entry("c", 3, ["INCR n"])])
    fold.replay(each);
  assert.equal(query(fold, "GET n"), '"1"');
  assert.deepEqual(fold.end, orderKeyOf(switchTo("b", 2, 2)));
  assert.ok(fold.cutAt <= AT + 2);
});

test("rows between which the fold could not switch are rejected", () => {
  const withRow = (name: string, change: object) => {
    const like = commandTable.find(name) ?? { ...(commandTable.find("GET") as Command), name };
    const others = commandTable.all().filter((row) => row.name !== name);
    return () => new Semantics(new CommandIndex([...others, { ...like, ...change }]));
  };
  const { run } = commandTable.find("GET") as Command;
  const since = { sinceSemantics: 2 };
  assert.equal(withRow("GET", { ...since, earlier: { run } })().last, 2);
  assert.throws(withRow("GET", { ...since, arity: 3, earlier: { run, arity: 2 } }), /GET does not accept/);
  assert.throws(withRow("GET", { ...since, arity: -3, earlier: { run, arity: -2 } }), /GET does not accept/);
  assert.throws(withRow("GET|LATER", since), /GET\|LATER makes a container of a command/);
  assert.equal(withRow("KEY|LATER", {})().last, 1);
  assert.throws(withRow("KEY|LATER", since), /KEY\|LATER is folded/);
  assert.throws(withRow("KEY|ADD", { ...since, earlier: { run } }), /KEY\|ADD is folded/);
});

test("a command of a container does not exist before its number", { skip: !hasCode("XGROUP|CREATE") }, () => {
  const later = {
    ...(commandTable.find("XGROUP|CREATE") as Command),
    name: "XGROUP|LATER",
    sinceSemantics: 2,
  };

  const known = new Semantics(new CommandIndex([...commandTable.all(), later]));
  const fold = newFold(known);
  fold.merge([
    entry(
      "a",
      2,
      [
        ["SET", "k", "1"],
        ["XGROUP", "LATER", "k", "g", "$"],
      ],
      { multi: true },
    ),
  ]);

  assert.equal(query(fold, "GET k"), "nil");
  fold.merge([switchTo("s", 1, 2)]);
  assert.equal(query(fold, "GET k"), '"1"');
});

test("a command of a later number runs before it only if it reads", () => {
  const without = new CommandIndex(commandTable.all().filter(({ name }) => name !== "GET" && name !== "SET"));
  const [get, set] = [commandTable.find("GET") as Command, commandTable.find("SET") as Command];
  assert.equal(rowIn(without, get, ["GET", "k"]), get);
  assert.equal(readRow(without, ["GET", "k"]), get);
  assert.ok(rowIn(without, set, ["SET", "k", "v"]) instanceof CommandFailure);
  assert.ok(readRow(without, ["SET", "k", "v"]) instanceof CommandFailure);
});

test(`data and switches in any order yield the result of their order (seed ${seed})`, () => {
  const first = Number(process.env["DBSYNC_RUN"] ?? 0);
  for (let run = first; run < first + RUNS; run++) {
    try {
      play(new SeededRandom(seed, run));
    } catch (problem) {
      throw new Error(`DBSYNC_SEED=${seed} DBSYNC_RUN=${run} DBSYNC_SEEDS=1: ${(problem as Error).stack}`);
    }
  }
});

function play(random: SeededRandom): void {
  const known = random.chance(0.8) ? NEXT_SEMANTICS : EARLIER_SEMANTICS;
  const entries = someEntries(random);
  const pending = random.chance(0.5) ? random.shuffled(entries) : slightlyLate(entries, random);
  const merged: Entry[] = [];
  let fold = newFold(known);

  while (pending.length > 0) {
    const batch = pending.splice(0, random.between(1, random.oneOf([1, 1, 4, 30])));
    merged.push(...batch);

    const before = statesOf(fold);
    const max = random.chance(0.2) ? 0 : Number.POSITIVE_INFINITY;
    const isMerged = [max, Number.POSITIVE_INFINITY].some((each) => {
      if (fold.mergeWithin(each, batch) !== null) return true;
      assert.deepEqual(statesOf(fold), before, "nothing is changed");
      return false;
    });

    if (!isMerged) {
      assert.notEqual(fold.end, null);
      fold = newFold(known);
      fold.merge(merged);
    }
    assert.deepEqual(statesOf(fold), statesOf(naiveFold(merged, newFold(known).ring, DATABASES)));

    const next = pending.toSorted(compareEntries)[0];
    if (random.chance(0.2)) fold.cut((next?.envelope.at ?? AT + 1000) - 1);
  }
}

const slightlyLate = (entries: readonly Entry[], random: SeededRandom): Entry[] =>
  entries
    .toSorted(compareEntries)
    .map((each, index) => ({ each, index: index + (random.chance(0.3) ? random.below(8) : 0) }))
    .sort((a, b) => a.index - b.index)
    .map(({ each }) => each);

function someEntries(random: SeededRandom): Entry[] {
  const entries = [entry("begin", 1, [["KEY", "ADD", pem(3), "RULES", "+@all", "~*"]], byRoot)];
  const signers = [key(0), key(0), key(0), key(3)];
  for (let i = random.between(2, 30); i > 0; i--) {
    const at = 2 + random.below(20);
    const isOfRing = random.chance(0.25);
    const by = { key: isOfRing ? random.oneOf([key(ROOT), key(3)]) : random.oneOf(signers) };
    const ofRing = () => random.oneOf(RING)(random);
    const multi = random.chance(0.2);
    const hasCondition = !isOfRing && random.chance(0.15);
    const count = hasCondition && !multi ? 1 : random.between(1, 3);
    const commands = isOfRing ? [ofRing()] : Array.from({ length: count }, () => call(random));
    const writer = random.oneOf(["", unitOf("begin"), unitId(random.oneOf(entries).id, 0)]);
    entries.push(
      entry(`${i}`, at, commands, {
        ...by,
        seq: random.below(2),
        db: random.oneOf([0, 0, 1]),
        multi,
        if: hasCondition ? [{ db: 0, key: random.oneOf(KEYS), writer }] : null,
      }),
    );
  }
  return entries;
}

const KEYS = ["a", "b", "c"];
const RING: readonly ((random: SeededRandom) => string[])[] = [
  () => ["CLUSTER", "SEMANTICS", "2"],
  () => ["CLUSTER", "SEMANTICS", "2"],
  (random) => ["CLUSTER", "SEMANTICS", random.oneOf(["3", "3", "1", "x"])],
  () => ["KEY", "REVOKE", hexId(3)],
  () => ["KEY", "RULES", hexId(3), "+@all", "-incr", "~a"],
  () => ["KEY", "RULES", hexId(3), "+@all", "-twice", "~*"],
  () => ["KEY", "ADD", pem(4), "RULES", "+@read"],
];
const CALLS = ["INCR", "INCR", "APPEND", "APPEND", "TWICE", "SET", "SETNX", "FLUSHDB", "GET", "COPY"];

function call(random: SeededRandom): string[] {
  const name = random.chance(0.05) ? "FLUSHDB" : random.oneOf(CALLS);
  const [one, other] = [random.oneOf(KEYS), random.oneOf(KEYS)];
  if (name === "FLUSHDB") return random.chance(0.2) ? [name] : ["INCR", one];
  if (["INCR", "TWICE", "GET"].includes(name)) return [name, one];
  if (name === "APPEND") return [name, one, String(random.below(3)), ...(random.chance(0.5) ? ["9"] : [])];
  return [name, one, random.chance(0.7) ? other : String(random.below(9))];
}
