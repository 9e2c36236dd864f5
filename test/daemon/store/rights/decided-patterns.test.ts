/**
 * Tests which commands write keys of decided patterns: named commands, and for each command of the table, with random
 * arguments, that it changes no key of a pattern that does not cover it. DBSYNC_SEED replays a run. Source:
 * docs/decisions/0081-decided-keys.md.
 */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import { globMatches } from "../../../../daemon/store/patterns/glob.js";
import { DecidedPatterns } from "../../../../daemon/store/rights/decided-patterns.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import { commandGrammars } from "../../../conformance/families.js";
import { Generator } from "../../../conformance/grammar.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { EPOCH, randomDatabase, randomUnit, SPREAD, shownUnit } from "../random-unit.js";

const seed = seedOfRun();

const pattern = (glob: string, db: number | null = null, isBegun = true) => ({
  glob,
  db,
  announcedAt: 1,
  isBegun,
});
const patterns = (...all: readonly ReturnType<typeof pattern>[]) =>
  all.reduce((set, one) => set.with(one), DecidedPatterns.NONE);

const callOf = (line: string, db: number) => {
  const argv = line.split(" ");
  return { command: commandTable.resolve(argv) as Command, argv, db };
};
const covers = (line: string, set = patterns(pattern("d:*")), db = 0) => set.covers(callOf(line, db));

/** Commands in database 0, and whether they may write `d:*`. */
const CASES: readonly (readonly [line: string, isCovered: boolean])[] = [
  ["SET d:a 1", true],
  ["SET a d:a", false],
  ["GET d:a", false],
  ["EXISTS d:a", false],
  ["DEL a b d:c", true],
  ["DEL a b c", false],
  ["UNLINK a d:b", true],
  ["MSET a d:1 b d:2", false],
  ["MSET a 1 d:b 2", true],
  ["MSETNX a 1 d:b 2", true],
  ["EXPIRE d:a 10", true],
  ["PERSIST d:a", true],
  // It would only read, but its row does not depend on its arguments.
  ["GETEX d:a", true],
  ["GETEX d:a PX 100", true],
  ["GETDEL d:a", true],
  ["RENAME d:a b", true],
  ["RENAME a d:b", true],
  ["RENAME a b", false],
  ["RENAMENX a d:b", true],
  ["COPY d:a b", false],
  ["COPY a d:b", true],
  ["COPY a d:b DB 3", true],
  ["MOVE d:a 3", true],
  ["MOVE a 3", false],
  ["SORT d:a", false],
  ["SORT d:a STORE b", false],
  ["SORT a STORE d:b", true],
  ["FLUSHDB", true],
  ["FLUSHALL", true],
  ["SWAPDB 0 1", true],
  ["SWAPDB 1 2", true],
  ["SMOVE a d:b m", true],
  ["SMOVE d:a b m", true],
  ["SMOVE a b d:m", false],
  ["LMOVE a d:b LEFT LEFT", true],
  ["LMOVE d:a b LEFT LEFT", true],
  ["LMPOP 2 a d:b LEFT", true],
  ["LMPOP 1 a LEFT", false],
  ["BLPOP a d:b 0", true],
  ["LPUSH a d:b", false],
  ["SUNIONSTORE a d:b d:c", false],
  ["SUNIONSTORE d:a b c", true],
  ["ZADD d:a 1 m", true],
  ["ZPOPMIN d:a", true],
  ["XADD d:a * f v", true],
  ["XREADGROUP GROUP g c STREAMS a d:b > >", true],
  ["XREADGROUP GROUP g c STREAMS a b > >", false],
  ["XGROUP CREATE d:a g $", true],
  ["XGROUP CREATE a d:g $", false],
  ["XACK d:a g 1-1", true],
];

for (const [line, isCovered] of CASES)
  test(`${line} ${isCovered ? "may write" : "writes no"} key of d:*`, () => {
    assert.equal(covers(line), isCovered);
  });

test("a pattern concerns its database only", () => {
  const inThree = patterns(pattern("d:*", 3));
  const found = (line: string, db: number) => covers(line, inThree, db);
  assert.deepEqual([found("SET d:a 1", 3), found("SET d:a 1", 0)], [true, false]);
  assert.deepEqual([found("FLUSHDB", 3), found("FLUSHDB", 0), found("FLUSHALL", 0)], [true, false, true]);
  assert.deepEqual([found("MOVE d:a 3", 0), found("MOVE d:a 2", 0)], [true, false]);
  assert.deepEqual([found("COPY a d:b DB 3", 0), found("COPY a d:b DB 2", 0)], [true, false]);
  assert.deepEqual([found("SWAPDB 0 3", 0), found("SWAPDB 0 1", 3)], [true, false]);
});

test("a pattern that was only announced is not one of those that have begun", () => {
  const set = patterns(pattern("d:*", null, false), pattern("e:*"));
  assert.deepEqual([covers("SET d:a 1", set), covers("SET d:a 1", set.begun)], [true, false]);
  assert.deepEqual([covers("SET e:a 1", set), covers("SET e:a 1", set.begun)], [true, true]);
  const begun = set.with(pattern("d:*"));
  assert.equal(begun.begun, begun);
  assert.deepEqual(
    begun.all.map(({ glob }) => glob),
    ["d:*", "e:*"],
  );
  assert.equal(begun.without(pattern("d:*"), 1).without(pattern("e:*"), 1).isEmpty, true);
});

test("two databases make two patterns of one text", () => {
  const set = patterns(pattern("d:*", 1), pattern("d:*", 2));
  const rest = set.without(pattern("d:*", 1), 1);
  assert.deepEqual([covers("SET d:a 1", rest, 1), covers("SET d:a 1", rest, 2)], [false, true]);
});

test("a command takes elements elsewhere if one of the keys of which it takes some matches no pattern", () => {
  const set = patterns(pattern("d:*"));
  const takes = (line: string) => set.takesElsewhere(callOf(line, 0));
  assert.deepEqual([takes("LMOVE a d:b LEFT LEFT"), takes("LMOVE d:a b LEFT LEFT")], [true, false]);
  assert.deepEqual([takes("LMPOP 2 a d:b LEFT"), takes("LMPOP 2 d:a d:b LEFT")], [true, false]);
  assert.deepEqual([takes("LPOP a"), takes("LPOP d:a")], [true, false]);
  assert.ok(takes("XREADGROUP GROUP g c STREAMS a d:b > >"));
});

test("the first command of an envelope that writes a key of a pattern is found", () => {
  const set = patterns(pattern("d:*"));
  const commands = ["GET d:a", "NONSENSE d:a", "SET", "SET a 1", "DEL d:a", "SET d:b 1"].map((line) =>
    line.split(" "),
  );
  assert.deepEqual(set.findIn({ commands, db: 0 }, { table: commandTable }), ["DEL", "d:a"]);
  assert.equal(set.findIn({ commands: commands.slice(0, 4), db: 0 }, { table: commandTable }), null);
  assert.equal(set.findIn({ commands, db: 0 }, { table: null }), null);
});

test(`a command changes no key of a pattern that does not cover it (seed ${seed})`, () => {
  let changed = 0;
  for (let number = 0; number < amount(1, 8); number++) {
    const g = new Generator({ random: new SeededRandom(seed, number), now: EPOCH });
    const database = randomDatabase(g);
    for (const grammar of commandGrammars) {
      const unit = randomUnit(g, grammar, EPOCH + g.random.below(2 * SPREAD), `${number}`);
      const command = commandTable.resolve(unit.argv);
      const before = new Set(canonicalState(database));
      database.execute(unit.argv, unit);
      const after = new Set(canonicalState(database));
      const lines = [...before]
        .filter((line) => !after.has(line))
        .concat([...after].filter((line) => !before.has(line)));
      changed += lines.length;
      for (const line of lines) {
        const [db, key] = JSON.parse(line) as [number, string];
        const set = patterns(pattern(key.replace(/[*?[\\]/g, "\\$&"), db));
        const isCovered = set.covers({ command: command as Command, argv: unit.argv, db: unit.db });
        assert.ok(isCovered, `${JSON.stringify([db, key])} was changed by ${shownUnit(unit)}; seed ${seed}`);
      }
    }
  }
  assert.ok(changed > 50);
});

test(`a key is decided if one of several patterns matches it, whatever their beginnings (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 62);
  const text = (bytes: string, max: number) =>
    Array.from({ length: random.between(1, max) }, () => random.oneOf([...bytes])).join("");
  let matches = 0;
  for (let round = 0; round < amount(2_000, 50_000); round++) {
    const all = Array.from({ length: random.between(1, 6) }, () =>
      pattern(text("ab:*?[]\\^", 6), random.oneOf([null, 0, 1])),
    );
    const set = patterns(...all);
    const key = text("ab:*", 6);
    const isKey = all.some(({ glob, db }) => (db ?? 0) === 0 && globMatches(glob, key));
    assert.equal(covers(`DEL ${key}`, set), isKey, JSON.stringify({ key, all }));
    assert.equal(covers(`SET ${key} 1`, set), isKey, JSON.stringify({ key, all }));
    if (isKey) matches++;
  }
  assert.ok(matches > 100, `${matches} keys matched`);
});
