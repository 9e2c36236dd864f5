/**
 * Tests recorded MDB commands in the fold. The features of version 3 are `dialect: 2`, indexes that expire documents,
 * and MDB.RENAME, MDB.STATS and MDB.EXPLAIN in a recorded unit. Until CLUSTER SEMANTICS 3 they are errors without
 * effect, as in earlier releases, whenever the switch arrives.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../../../store/arguments/command-errors.js";
import { canonicalState } from "../../../store/canonical-state.js";
import { commandTable } from "../../../store/command-table.js";
import { Database } from "../../../store/database.js";
import { firstTable, readRow, rowIn } from "../../../store/semantics.js";
import type { Entry } from "../../../timeline/entries/entry.js";
import { Fold } from "../../../timeline/fold/fold.js";
import { shown } from "../../conformance/resp2-fold.js";
import { AT, entry, key, ROOT } from "../support/fold-subject.js";
import { naiveFold } from "../support/naive-fold.js";
import { genesisRing } from "../support/random-timeline.js";

const byRoot = { key: key(ROOT) };
const mdb = (name: string, at: number, ...argv: readonly string[]) => entry(name, at, [argv], byRoot);
const switchTo = (at: number, number: number) =>
  entry(`switch ${number}`, at, [`CLUSTER SEMANTICS ${number}`], byRoot);

const SETUP = [
  mdb("a", 10, "MDB.INSERT", "d", "c", "1", '{"_id":1,"n":1,"l":[1,2],"t":{"$date":"1970-01-01T00:00:00Z"}}'),
  mdb("b", 11, "MDB.INSERT", "d", "c", "1", '{"_id":2,"n":2}', '{"_id":3,"n":3}'),
];

/** Entries that only version 3 knows. */
const LATER: readonly Entry[] = [
  mdb("e", 20, "MDB.UPDATE", "d", "c", "1", '{"q":{"_id":2},"u":{"$set":{"n":7}},"dialect":2}'),
  mdb(
    "f",
    21,
    "MDB.UPDATE",
    "d",
    "c",
    "1",
    '{"q":{"_id":3},"u":[{"$set":{"n":"$$x"}}],"let":{"x":8},"dialect":2}',
  ),
  mdb(
    "g",
    22,
    "MDB.UPDATE",
    "d",
    "c",
    "1",
    '{"q":{"_id":1},"u":{"$set":{"l.$[e]":9}},"arrayFilters":[{"e":2}],"dialect":2}',
  ),
  mdb(
    "h",
    23,
    "MDB.FINDANDMODIFY",
    "d",
    "c",
    '{"query":{"_id":2},"update":{"$bit":{"n":{"or":8}}},"dialect":2}',
  ),
  mdb("i", 24, "MDB.DELETE", "d", "c", "1", '{"q":{"$expr":{"$eq":["$n",8]}},"limit":0,"dialect":2}'),
  mdb("j", 25, "MDB.CREATEINDEXES", "d", "c", '{"key":{"t":1},"name":"t","expireAfterSeconds":5}'),
  mdb("k", 26, "MDB.RENAME", "d", "c", "d", "o", "0"),
];
/** An entry whose unknown command prevents the complete unit from being applied. */
const WHOLE = entry(
  "l",
  27,
  [
    ["SET", "k", "v"],
    ["MDB.RENAME", "d", "o", "d", "p", "0"],
  ],
  { ...byRoot, multi: true },
);

/** Entries whose unknown command only reads. Such a command also prevents the complete unit from being applied. */
const READING = ["MDB.STATS d c", 'MDB.EXPLAIN d c {"filter":{"_id":1}}'].map((text, index) =>
  entry(`m${index}`, 28 + index, [["SET", `r${index}`, "v"], text.split(" ")], { ...byRoot, multi: true }),
);

const foldOf = (...entries: readonly Entry[]) => {
  const fold = new Fold({ database: new Database(), ring: genesisRing({ hasRoots: true }), cutAt: AT });
  const outcomes = fold.merge(entries);
  const replies = outcomes.flatMap(({ answers }) => answers.map(({ reply }) => shown(reply)));
  return {
    fold,
    replies: replies.slice(-LATER.length - 1 - READING.length),
    state: () => canonicalState(fold.database),
  };
};
const query = ({ database }: Fold, ...argv: readonly string[]) => {
  const row = readRow(database.table, argv);
  assert.ok(!(row instanceof CommandFailure));
  return shown(database.run(row, argv, { at: AT + 1_000_000, db: 0, id: "ask" }));
};
const SWITCHES = [switchTo(1, 2), switchTo(2, 3)];
const ALL = [...SETUP, ...LATER, WHOLE, ...READING];

for (const [number, switches] of [[1, []] as const, [2, SWITCHES.slice(0, 1)] as const])
  test(`under version ${number} commands of version 3 change nothing and return an error that names version 3`, () => {
    const { replies, state } = foldOf(...switches, ...ALL);
    for (const reply of replies) assert.match(reply, /version 3 .*CLUSTER SEMANTICS 3/);
    assert.equal(replies.length, LATER.length + 1 + READING.length);
    assert.deepEqual(state(), foldOf(...switches, ...SETUP).state());
  });

test("under version 3 these commands apply, and documents expire by the dates of units", () => {
  const { fold, replies } = foldOf(...SWITCHES, ...ALL);
  for (const reply of replies) assert.doesNotMatch(reply, /MONGO|ERR|writeErrors/);
  assert.equal(query(fold, "GET", "k"), '"v"');
  assert.equal(query(fold, "EXISTS", "mongo:d.c", "mongo:d.o", "mongo:d.p"), ":1");
  const found = query(fold, "MDB.FIND", "d", "p", "{}");
  assert.match(found, /_id[^}]*2[^}]*}[^}]*15/);
  assert.doesNotMatch(found, /9/, "the document of 1970 is hidden");
});

test("a late switch redoes later commands as if it had arrived before them", () => {
  const { fold, state } = foldOf(...ALL);
  fold.merge([SWITCHES[0] as Entry]);
  assert.deepEqual(state(), foldOf(...SETUP).state());
  fold.merge([SWITCHES[1] as Entry]);
  assert.deepEqual(state(), foldOf(...SWITCHES, ...ALL).state());
  const naive = naiveFold([...SWITCHES, ...ALL], genesisRing({ hasRoots: true }), 16);
  assert.deepEqual(state(), canonicalState(naive.database));
  assert.equal(query(fold, "GET", "k"), '"v"');
});

test("a late switch between commands leaves the earlier commands as errors", () => {
  const between = switchTo(24, 3);
  const late = foldOf(SWITCHES[0] as Entry, ...ALL);
  late.fold.merge([between]);
  assert.deepEqual(late.state(), foldOf(SWITCHES[0] as Entry, ...SETUP, between, ...ALL.slice(2)).state());
  const found = query(late.fold, "MDB.FIND", "d", "p", "{}");
  assert.doesNotMatch(found, /7/);
  assert.equal(query(late.fold, "GET", "k"), '"v"');
});

test("reads accept the new features under every version", () => {
  const { fold } = foldOf(...SETUP);
  assert.match(query(fold, "MDB.FIND", "d", "c", '{"filter":{"$expr":{"$eq":["$n",{"$add":[1,2]}]}}}'), /3/);
  assert.match(query(fold, "MDB.EXPLAIN", "d", "c", '{"filter":{"_id":1}}'), /IXSCAN/);
});

test("under an earlier version, a command of a later version runs if it only reads", () => {
  const rowOf = (...argv: [string, ...string[]]) => {
    const command = commandTable.resolve(argv);
    assert.ok(!(command instanceof CommandFailure), argv[0]);
    return { command, row: rowIn(firstTable, command, argv) };
  };
  const reading = rowOf("MDB.STATS", "d", "c");
  assert.equal(reading.row, reading.command);
  assert.ok(rowOf("MDB.RENAME", "d", "c", "d", "p", "0").row instanceof CommandFailure);
});
