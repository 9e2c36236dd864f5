/**
 * Tests small units with large effects: random units of every family on an existing state, under a small budget. The
 * test compares the states before and after, so it also detects a command that does not count what it produces. Source:
 * docs/decisions/0047-budgets-limit-the-output-of-a-unit.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../daemon/store/canonical-state.js";
import { commandTable } from "../../../daemon/store/command-table.js";
import { Database } from "../../../daemon/store/database.js";
import { BudgetExceeded, EffortBudget } from "../../../daemon/store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../../daemon/store/keyspace/undo.js";
import { sealed } from "../../../faces/redis/store/rdb/dump-payload.js";
import { RdbWriter } from "../../../faces/redis/store/rdb/rdb-writer.js";
import type { Reply } from "../../../protocol/reply.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { type Argv, databaseOfAllTypes, repeated, SIZE, unit } from "./effort-state.js";

type Make = (random: SeededRandom) => Argv;

const STEPS = 20_000;
const RUNS = Number(process.env["DBSYNC_SEEDS"] ?? amount(120, 1000));
const seed = seedOfRun();

const offset = (random: SeededRandom) => String(random.oneOf([10, 1e5, 1e7, 2e8, 5e8]));
const many = (random: SeededRandom) => random.oneOf([1, 30, 1000]);
const update = (u: string, multi = true): Argv => [
  "MDB.UPDATE",
  "d",
  "c",
  "1",
  `{"q":{},"u":${u},"multi":${multi}}`,
];

/** Short commands, each of which can have large effects. */
const WRITES: readonly Make[] = [
  (random) => ["SETRANGE", "s", offset(random), "x"],
  (random) => ["SETBIT", "s", String(8 * Number(offset(random)) - 8), "1"],
  (random) => ["BITFIELD", "s", "SET", "u8", offset(random), "1"],
  (random) => ["BITOP", "OR", "d", ...repeated(many(random), () => "s")],
  (random) => ["COPY", random.oneOf(["s", "l", "m", "h", "z", "x"]), `copy${random.below(1000)}`],
  (random) => [
    random.oneOf(["SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"]),
    "d",
    ...repeated(many(random), () => "m"),
  ],
  (random) => {
    const count = many(random);
    return [random.oneOf(["ZUNIONSTORE", "ZINTERSTORE"]), "d", String(count), ...repeated(count, () => "z")];
  },
  () => ["ZRANGESTORE", "d", "z", "0", "-1"],
  () => ["ZREMRANGEBYRANK", "z", "0", "-2"],
  () => ["ZREMRANGEBYSCORE", "z", "1", "+inf"],
  (random) => ["SORT", "l", "BY", "nosort", ...repeated(many(random), () => ["GET", "#"]), "STORE", "d"],
  () => ["SORT", "m", "ALPHA", "STORE", "d"],
  () => ["LINSERT", "l", "BEFORE", "e499", "x"],
  () => ["LREM", "l", "0", "none"],
  () => ["LMOVE", "l", "l", "LEFT", "RIGHT"],
  () => ["LTRIM", "l", "1", "-2"],
  () => ["LPOP", "l", "400"],
  (random) => ["PFMERGE", `d${random.below(9)}`, ...repeated(many(random), () => "p")],
  () => ["XADD", "x", "*", "MAXLEN", "1", "f", "v"],
  () => ["XTRIM", "x", "MAXLEN", "0"],
  () => ["GEOSEARCHSTORE", "d", "g", "FROMLONLAT", "0", "10", "BYRADIUS", "20000", "km", "ASC"],
  () => ["SPOP", "m", "400"],
  () => ["APPEND", "s", "x"],
  (random) => update(`{"$set":{"q.${random.oneOf([3, 1000, 1_499_999])}":1}}`, random.chance(0.5)),
  () => update('{"$push":{"q":{"$each":[1,2],"$position":0,"$slice":400}}}'),
  () => update('{"$inc":{"n":9007199254740993},"$mul":{"m":2}}'),
  (random) => [
    "MDB.UPDATE",
    "d",
    "c",
    "1",
    `{"q":{"_id":${1000 + random.below(9)}},"u":{"$setOnInsert":{"q.5":1}},"upsert":true,"upsertId":5000}`,
  ],
  () => ["MDB.UPDATE", "d", "c", "1", '{"q":{"s":{"$regex":"(a*)*b"}},"u":{"$set":{"n":2}},"multi":true}'],
  () => ["MDB.DELETE", "d", "c", "1", '{"q":{"n":7},"limit":0}'],
  () => ["MDB.CREATEINDEXES", "d", "c", '{"key":{"n":1},"name":"n_1"}'],
  () => ["DOC.UPDATE", "doc", '{"$inc":{"a":1}}', "QUERY", '{"b":"x"}'],
  () => ["DOC.MEMBER", "ADD", "doc", "k", "1"],
  () => ["DOC.MEMBER", "DROP", "doc", "b"],
  () => ["DOC.DELETE", "doc", "QUERY", '{"b":"x"}'],
  () => ["MDB.DROPDATABASE", "d"],
  (random) => ["LMPOP", "1", "l", "LEFT", "COUNT", offset(random)],
  (random) => ["ZMPOP", "1", "z", "MIN", "COUNT", offset(random)],
  () => ["LREM", "l", "0", "e5"],
  () => ["XAUTOCLAIM", "x", "group", "second", "0", "0", "COUNT", "1000"],
  () => ["XREADGROUP", "GROUP", "group", "first", "STREAMS", "x", "0"],
  () => ["XGROUP", "DELCONSUMER", "x", "group", "first"],
  (random) => ["RENAME", random.oneOf(["l", "m", "h", "z", "x"]), "renamed"],
  (random) => [random.oneOf(["DEL", "UNLINK"]), "l", "m", "h", "z", "x", "s"],
  () => ["EXPIRE", "h", "0"],
  () => ["MOVE", "z", "1"],
  () => ["FLUSHALL"],
  () => ["SQL", "d", "insert into t select a, v from t"],
  () => ["SQL", "d", "update t set a = a + 1"],
  () => ["SQL", "d", "delete from t where a < 400"],
];

const EVERYTHING = "1000000000";

/** Short reads that visit `SIZE` elements. */
const LONG_READS: readonly Argv[] = [
  ...["l", "m", "h", "z", "x"].map((key): Argv => ["MEMORY", "USAGE", key, "SAMPLES", "0"]),
  ...["l", "m", "h", "z", "x"].map((key): Argv => ["DUMP", key]),
  ["LPOS", "l", "none"],
  ["LRANGE", "l", "0", "-1"],
  ["SORT_RO", "l", "BY", "nosort"],
  ["SORT_RO", "z", "ALPHA", "LIMIT", "0", "1"],
  ["SRANDMEMBER", "m", "400"],
  ["ZRANDMEMBER", "z", EVERYTHING, "WITHSCORES"],
  ["HRANDFIELD", "h", EVERYTHING],
  ["SSCAN", "m", "0", "COUNT", EVERYTHING],
  ["HSCAN", "h", "0", "COUNT", EVERYTHING],
  ["ZSCAN", "z", "0", "COUNT", EVERYTHING],
  ["SINTERCARD", "2", "m", "m"],
  ["SDIFF", "m", "m"],
  ["ZDIFF", "2", "z", "z"],
  ["ZINTERCARD", "2", "z", "z"],
  ["ZRANGEBYSCORE", "z", "-inf", "+inf"],
  ["ZLEXCOUNT", "z", "-", "+"],
  ["GEOSEARCH", "g", "FROMLONLAT", "0", "10", "BYRADIUS", "20000", "km"],
  ["XRANGE", "x", "-", "+"],
  ["XREAD", "STREAMS", "x", "0"],
  ["XPENDING", "x", "group", "-", "+", EVERYTHING],
  ["XINFO", "STREAM", "x", "FULL", "COUNT", "0"],
  ["DOC.GETALL"],
  ["DOC.GET", "doc", "QUERY", '{"b":"y"}'],
  ["MDB.FIND", "d", "c", '{"filter":{"n":2}}'],
  ["MDB.COUNT", "d", "c", '{"query":{"n":2}}'],
  ["MDB.DISTINCT", "d", "c", '{"key":"n"}'],
  ["MDB.AGGREGATE", "d", "c", '{"pipeline":[{"$count":"n"}]}'],
  ["MDB.LISTDATABASES", "{}"],
  ["SQL_RO", "d", "select a from t where a < 0"],
];

/** Commands that only read. In a unit that also writes, every daemon executes them. */
const READS: readonly Make[] = [
  () => ["LRANGE", "l", "0", "-1"],
  () => ["HGETALL", "h"],
  (random) => [
    random.oneOf(["SRANDMEMBER", "ZRANDMEMBER", "HRANDFIELD"]),
    random.oneOf(["m", "z", "h"]),
    "-1000000",
  ],
  () => ["LPOS", "l", "none"],
  () => ["KEYS", "*a*a*a*b"],
  () => ["LCS", "s", "s", "LEN"],
  () => ["PFCOUNT", ...repeated(100, () => "p")],
  () => ["SINTERCARD", "2", "m", "m"],
  () => ["SMEMBERS", "m"],
  (random) => random.oneOf(LONG_READS),
  (random) => ["OBJECT", "ENCODING", random.oneOf(["l", "m", "h", "z", "x"])],
  () => ["GETRANGE", "s", "0", "-1"],
  () => ["BITCOUNT", "s"],
  () => ["RANDOMKEY"],
  () => ["PFSELFTEST"],
];

interface Size {
  readonly elements: number;
  readonly bytes: number;
}

/** Returns the visible size of the complete state. */
function sizeOf(database: Database): Size {
  let [elements, bytes] = [0, 0];
  for (const { entries } of database.keyspaces)
    for (const { value } of entries) {
      elements++;
      if (typeof value === "string") bytes += value.length;
      else elements += value.size;
    }
  return { elements, bytes };
}

/** Counts the items of a reply, including nested ones. */
const itemsOf = (reply: Reply): number =>
  "items" in reply ? reply.items.reduce((count, item) => count + itemsOf(item), 0) : 1;

/**
 * Returns one or more commands, mostly of the same kind, as an attacker would send them to get large effects from few
 * bytes.
 */
function unitOf(random: SeededRandom): readonly Argv[] {
  const first = random.oneOf(WRITES);
  const others = [first, ...(random.chance(0.5) ? [random.oneOf(READS), random.oneOf(WRITES)] : [])];
  const count = random.oneOf([1, 1, 3, 60]);
  return Array.from({ length: count }, (_, i) => (i === 0 ? first : random.oneOf(others))(random));
}

/** The number of commands in a unit. Their reads exceed `LONG_STEPS` even if three elements are one step. */
const LONG_COUNT = 60;
const LONG_STEPS = (LONG_COUNT * SIZE) / 3;

test("PFMERGE counts each raised register, and COMMAND each command that it describes", () => {
  const database = databaseOfAllTypes();
  for (const argv of [["PFMERGE", "d", "p"], ["PFSELFTEST"], ["COMMAND"], ["COMMAND", "DOCS"]]) {
    const commands = [["PERSIST", "none"], argv];
    assert.throws(
      () => database.withBudget(STEPS, () => database.executeMulti(commands, unit(1))),
      BudgetExceeded,
      argv[0],
    );
    database.withBudget(5 * STEPS, () => database.executeMulti(commands, unit(2)));
  }
});

/** Number of keys in a database. A command skips most of them. */
const KEYS = 3000;

for (const argv of [
  ["DOC.LIST"],
  ["DOC.GETALL"],
  ["KEYS", "x*"],
  ["SCAN", "0", "COUNT", EVERYTHING],
  ["MDB.LISTDATABASES", "{}"],
  ["MDB.LISTCOLLECTIONS", "d", "{}"],
  ["MDB.DROPDATABASE", "other"],
  ["SQL_RO", "d", "show tables"],
  ["RANDOMKEY"],
])
  test(`${argv.slice(0, 2).join(" ")} counts the keys that it skips`, () => {
    const database = databaseOfAllTypes();
    const later = { ...unit(9999), at: 1e9 };
    for (let i = 0; i < KEYS; i++)
      database.execute(["SET", `k${i}`, "v", ...(argv[0] === "RANDOMKEY" ? ["PX", "5"] : [])], unit(i));
    if (argv[0] === "RANDOMKEY")
      database.execute(["DEL", "s", "l", "m", "h", "z", "g", "p", "x", "doc"], unit(1e6));
    const commands = [["PERSIST", "none"], argv];
    assert.throws(
      () => database.withBudget(KEYS - 100, () => database.executeMulti(commands, later)),
      BudgetExceeded,
    );
    database.withBudget(8 * KEYS, () => database.executeMulti(commands, later));
  });

test("each command that writes is counted, or its cost is proportional to its arguments", () => {
  const database = databaseOfAllTypes();
  for (const command of commandTable.all()) {
    if (!command.isLinear) continue;
    assert.ok(command.writes, command.name);
    const argv = [
      command.name.replace("|", " "),
      "k",
      ...repeated(Math.abs(command.arity) - 2, () => "1"),
    ].flatMap((word) => word.split(" "));
    const before = sizeOf(database);
    database.execute(argv, unit(2e6));
    const { elements, bytes } = sizeOf(database);
    assert.ok(elements - before.elements <= argv.length && bytes - before.bytes <= 100, command.name);
  }
});

const isTooMuch = (reply: Reply) => reply.kind === "error" && reply.text.startsWith("TOOMUCH ");

test("backtracking of a pattern counts for a unit that writes", () => {
  const database = new Database();
  database.execute(["SET", "a".repeat(3000), "v"], unit(1));
  const keys = ["KEYS", `*${"a".repeat(100)}b`];
  database.unitStepsMax = 100_000;
  const reply = database.executeMulti([...Array<Argv>(20).fill(keys), ["SET", "k", "v"]], unit(2));
  assert.ok(isTooMuch(reply), JSON.stringify(reply).slice(0, 200));
  // A unit with only this command has a separate limit.
  assert.equal(database.execute(keys, unit(3)).kind, "array");
});

const ENTRIES = 200;

/** Short commands on a group to which `ENTRIES` entries were delivered. */
const OF_GROUPS: Readonly<Record<string, Argv>> = {
  XREADGROUP: ["XREADGROUP", "GROUP", "new", "a", "STREAMS", "y", ">"],
  "XREADGROUP again": ["XREADGROUP", "GROUP", "old", "a", "STREAMS", "y", "0"],
  XAUTOCLAIM: ["XAUTOCLAIM", "y", "old", "b", "0", "0", "COUNT", "1000"],
  "XGROUP DELCONSUMER": ["XGROUP", "DELCONSUMER", "y", "old", "a"],
  "COPY of a stream with groups": ["COPY", "y", "copied"],
};

for (const [name, argv] of Object.entries(OF_GROUPS))
  test(`${name} counts each entry that is assigned to another consumer`, () => {
    const database = new Database();
    const before: readonly Argv[] = [
      ...Array.from({ length: ENTRIES }, (_, i): Argv => ["XADD", "y", `${i + 1}-1`, "f", "v"]),
      ["XGROUP", "CREATE", "y", "old", "0"],
      ["XGROUP", "CREATE", "y", "new", "0"],
      ["XREADGROUP", "GROUP", "old", "a", "STREAMS", "y", ">"],
    ];
    for (const [i, each] of before.entries()) database.execute(each, unit(i));

    const state = canonicalState(database);
    database.unitStepsMax = 10 * ENTRIES;
    const reply = database.execute(argv, unit(9999));
    assert.ok(
      reply.kind === "error" && reply.text.startsWith("TOOMUCH "),
      JSON.stringify(reply).slice(0, 100),
    );
    assert.deepEqual(canonicalState(database), state);

    database.unitStepsMax = 80 * ENTRIES;
    assert.notEqual(database.execute(argv, unit(9999)).kind, "error");
  });

/** Returns a payload of a string of `count` equal bytes, compressed as Redis compresses it. */
function restorable(count: number): string {
  const writer = new RdbWriter();
  // The type is followed by a compressed string: its length, the expanded length, and its bytes.
  const repetitions = Math.floor((count - 1) / LZF_REPETITION);
  const remainder = count - 1 - repetitions * LZF_REPETITION;
  const packed = [0, 0x78, ...Array.from({ length: repetitions }, () => [0xe0, 0xff, 0x00]).flat()];
  for (let i = 0; i < remainder; i++) packed.push(0, 0x78);
  const length = (value: number) => [
    0x80,
    value >>> 24,
    (value >>> 16) & 255,
    (value >>> 8) & 255,
    value & 255,
  ];
  writer.raw(Buffer.from([0, 0xc3, ...length(packed.length), ...length(count), ...packed]));
  return sealed(writer);
}
const LZF_REPETITION = 264;

test("RESTORE counts the expanded length of compressed bytes before it allocates memory for it", () => {
  const database = new Database();
  const payload = restorable(10_000_000);
  assert.ok(payload.length < 150_000);
  database.unitStepsMax = STEPS;
  const refused = database.execute(["RESTORE", "r", "0", payload], unit(1));
  assert.ok(
    refused.kind === "error" && refused.text.startsWith("TOOMUCH "),
    JSON.stringify(refused).slice(0, 100),
  );
  database.unitStepsMax = 1_000_000;
  assert.notEqual(database.execute(["RESTORE", "r", "0", payload], unit(2)).kind, "error");
  assert.deepEqual(database.execute(["STRLEN", "r"], unit(3)), { kind: "integer", value: 10_000_000 });
});

test("a pattern that backtracks over long names is an error, in KEYS as in SCAN", () => {
  const database = new Database();
  const name = "a".repeat(30_000);
  database.execute(["SET", name, "v"], unit(1));
  database.execute(["HSET", "h", name, "v"], unit(2));
  const patterns = [`*${"a".repeat(15_000)}b`, `*${"[b".repeat(15_000)}]c`];
  for (const pattern of patterns)
    for (const argv of [
      ["KEYS", pattern],
      ["SCAN", "0", "MATCH", pattern],
      ["HSCAN", "h", "0", "MATCH", pattern],
    ]) {
      const reply = database.execute(argv, unit(3));
      assert.ok(reply.kind === "error" && reply.text.startsWith("TOOMUCH "), argv[0]);
    }
  for (const pattern of ["*a*a*a*b", `*${"a".repeat(10)}`])
    assert.notEqual(database.execute(["KEYS", pattern], unit(4)).kind, "error", pattern);
});

test("an update of 125 bytes that would pad many arrays is rejected before it pads the first one", () => {
  const database = databaseOfAllTypes();
  const records: UndoRecord[] = [];
  const argv = update('{"$set":{"q.1499999":1}}');
  assert.throws(
    () => database.withBudget(1_000_000, () => database.execute(argv, unit(1), records)),
    (problem) => problem instanceof BudgetExceeded,
  );
  assert.equal(records.length, 0);
  const few = update('{"$set":{"q.600000":1}}', false);
  assert.throws(
    () => database.withBudget(1_000_000, () => database.execute(few, unit(2), records)),
    BudgetExceeded,
  );
});

const ONES = `[${repeated(10_000, () => "1").join(",")}]`;
/** Updates that put one operand, or parts of it, at each of 9000 positions of one value. */
const MULTIPLYING: readonly (readonly [member: string, update: string])[] = [
  ["[]", `{"$push":{"a.$[]":{"$each":${ONES}}}}`],
  ["[]", `{"$push":{"a.$[]":{"$each":${ONES},"$slice":1}}}`],
  ["[]", `{"$push":{"a.$[]":${ONES}}}`],
  ["[]", `{"$addToSet":{"a.$[]":{"$each":${ONES}}}}`],
  ["1", `{"$set":{"a.$[]":"${"x".repeat(100_000)}"}}`],
  ["1", `{"$set":{"a.$[]":${ONES}}}`],
  ["1", `{"$max":{"a.$[]":"${"x".repeat(100_000)}"}}`],
  ["{}", `{"$inc":{"a.$[].n":0.${"1".repeat(100_000)}}}`],
];

test("an operand counts at each position of its path before the result is made", () => {
  for (const [member, operators] of MULTIPLYING) {
    const value = `"a":[${repeated(9000, () => member).join(",")}]`;
    const commands: readonly Argv[] = [
      ["DOC.UPDATE", "doc", operators, "WHERE", "{}"],
      // Only numbers of JSON documents keep their digits.
      ...(operators.startsWith('{"$inc"') ? [] : [update(operators)]),
    ];
    for (const argv of commands) {
      const database = new Database();
      database.execute(["DOC.CREATE", "doc"], unit(1));
      database.execute(["DOC.INSERT", "doc", `{${value}}`], unit(2));
      database.execute(["MDB.INSERT", "d", "c", "1", `{"_id":1,${value}}`], unit(3));
      const before = canonicalState(database).toString();
      const run = () => database.execute(argv, unit(4));
      const name = `${argv[0]} ${operators.slice(0, 40)}`;
      assert.throws(() => database.withBudget(1_000_000, run), BudgetExceeded, name);
      assert.equal(canonicalState(database).toString(), before, name);
    }
  }
});

test("positions are limited while they are resolved", () => {
  const database = new Database();
  database.execute(["DOC.CREATE", "doc"], unit(1));
  database.execute(["DOC.INSERT", "doc", `{"a":[${repeated(9000, () => "{}").join(",")}]}`], unit(2));
  const fields = repeated(9000, (i) => `"a.$[].f${i}":1`).join(",");
  const reply = database.execute(["DOC.UPDATE", "doc", `{"$set":{${fields}}}`, "WHERE", "{}"], unit(3));
  assert.ok(reply.kind === "error" && /an update changes at most 10000 positions/.test(reply.text));
  const fewer = `{"$set":{"a.$[].f":1}}`;
  assert.notEqual(database.execute(["DOC.UPDATE", "doc", fewer, "WHERE", "{}"], unit(4)).kind, "error");

  // Arrays in which no position is selected count too.
  database.execute(["DOC.CREATE", "empty"], unit(5));
  database.execute(["DOC.INSERT", "empty", `{"a":[${repeated(9000, () => "[]").join(",")}]}`], unit(6));
  const none = `{"$set":{${repeated(9000, (i) => `"a.$[].$[].f${i}":1`).join(",")}}}`;
  const run = (document: string) => () =>
    database.execute(["DOC.UPDATE", document, none, "WHERE", "{}"], unit(7));
  database.execute(["DOC.CREATE", "none"], unit(8));
  database.execute(["DOC.INSERT", "none", '{"a":[]}'], unit(9));

  const budget = amount(100_000, 1_000_000);
  database.withBudget(budget, run("none"));
  assert.throws(() => database.withBudget(budget, run("empty")), BudgetExceeded);
});

test("how much a unit may produce does not depend on units admitted with it", () => {
  const producedBy = (effort: EffortBudget) => {
    effort.begin(1000);
    return effort.bound(["SETRANGE", "s", "0", "x"], (counted) => {
      counted.produce(1100);
      return { kind: "integer", value: 1n };
    });
  };
  assert.ok(producedBy(new EffortBudget()) instanceof BudgetExceeded);
  const together = new EffortBudget();
  together.withBudget(1_000_000, () => {
    together.begin(1000);
    together.bound(["SADD", "m", ...repeated(500, (i) => `m${i}`)], () => ({ kind: "integer", value: 500n }));
    // A daemon that folds this entry has no earlier unit to count: it would reject what this daemon has applied.
    assert.ok(producedBy(together) instanceof BudgetExceeded);
  });
});

test("the elements that short reads visit count for a unit that writes", () => {
  const database = databaseOfAllTypes();
  const uncounted = LONG_READS.filter((argv) => {
    const commands = [["PERSIST", "none"], ...Array<Argv>(LONG_COUNT).fill(argv)];
    const alone = database.executeMulti([["PERSIST", "none"], argv], unit(1));
    assert.ok(alone.kind === "array" && alone.items[1]?.kind !== "error", argv.join(" "));
    try {
      database.withBudget(LONG_STEPS + 5 * commands.flat().join("").length, () =>
        database.executeMulti(commands, unit(2)),
      );
      return true;
    } catch (problem) {
      if (problem instanceof BudgetExceeded) return false;
      throw problem;
    }
  });
  assert.deepEqual(uncounted, []);
});

test(`a unit stays within its budget, or is undone (seed ${seed})`, () => {
  let refused = 0;
  let database = databaseOfAllTypes();
  const initial = canonicalState(database);

  for (let run = 0; run < RUNS; run++) {
    const commands = unitOf(new SeededRandom(seed, run));
    const name = `run ${run}: ${commands.length} × ${commands[0]?.slice(0, 6).join(" ").slice(0, 80)}`;
    const records: UndoRecord[] = [];
    const before = sizeOf(database);
    const length = commands.flat().reduce((sum, one) => sum + 1 + one.length, 0);

    try {
      const reply = database.withBudget(STEPS, () =>
        database.executeMulti(commands, unit(1e6 + run), records),
      );
      assert.ok(itemsOf(reply) <= STEPS + 5 * length, `${name}: ${itemsOf(reply)} items`);
      const after = sizeOf(database);
      // The commands' own size grants some steps for each argument and byte.
      assert.ok(
        after.elements - before.elements <= STEPS + 5 * length,
        `${name}: ${after.elements} elements`,
      );
      assert.ok(after.bytes - before.bytes <= 64 * (STEPS + 5 * length), `${name}: ${after.bytes} bytes`);
    } catch (problem) {
      if (!(problem instanceof BudgetExceeded)) throw problem;
      refused++;
    }

    database.undo(records);
    if (run % 20 === 0) assert.deepEqual(canonicalState(database), initial, name);
  }
  assert.ok(refused > RUNS / 10 && refused < RUNS, `${refused} of ${RUNS} were rejected`);

  // If only a limit of this daemon is exceeded, the command is an error, and the state is unchanged.
  database = databaseOfAllTypes();
  database.unitStepsMax = STEPS;
  const reply = database.execute(["SETRANGE", "s", "100000000", "x"], unit(1));
  assert.ok(reply.kind === "error" && reply.text.startsWith("TOOMUCH "));

  // This command has already changed something when it exceeds the limit.
  database.unitStepsMax = 100;
  assert.equal(database.execute(["SPOP", "m", "400"], unit(2)).kind, "error");
  assert.deepEqual(canonicalState(database), initial);
});
