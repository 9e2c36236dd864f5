/**
 * Tests small reads with large products: each reading command that takes several keys names one key as often as fits in
 * 1000 bytes. The commands are those of the table, so a new command is tested too.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../support/all-families.js";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../daemon/store/command-table.js";
import type { Database } from "../../../daemon/store/database.js";
import { EffortBudget } from "../../../daemon/store/keyspace/effort-budget.js";
import { allowanceOf, READ_STEPS, READ_STEPS_PER_ELEMENT } from "../../../daemon/store/read-allowance.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../../daemon/store/rows/key-spec.js";
import type { Reply } from "../../../protocol/reply.js";
import { type Argv, databaseOfAllTypes, repeated, SIZE, unit } from "./effort-state.js";

const REQUEST_BYTES = 1000;
const KEYS = ["s", "l", "m", "h", "z", "g", "p", "x", "doc"];
/** Number of names for which the calls of one command are compared. */
const NAMES = 40;

/** Commands that take constant time for each key. */
const CONSTANT = [
  "EXISTS",
  "MGET",
  "TOUCH",
  "WRITERS",
  "COMMAND|GETKEYS",
  "COMMAND|GETKEYSANDFLAGS",
  "OBJECT|FREQ",
];

/** Returns calls of all forms in which commands name several keys. */
const callsOf = (name: string, key: string, count: number): readonly Argv[] => {
  const names = repeated(count, () => key);
  return [
    [...name.split("|"), ...names],
    [...name.split("|"), String(count), ...names],
    [...name.split("|"), "STREAMS", ...names, ...repeated(count, () => "0")],
  ];
};

/** Runs a read and returns the reply, and the steps that the database counts. */
function counted(database: Database, commands: readonly Argv[]): { reply: Reply; steps: number } {
  let steps = 0;
  // A mock would record each of the calls, of which there are millions.
  EffortBudget.prototype.work = function (this: EffortBudget, more: number) {
    steps += more;
    original.call(this, more);
  };
  try {
    const [only] = commands;
    const reply =
      commands.length === 1 && only !== undefined
        ? database.execute(only, unit(1))
        : database.executeMulti(commands, unit(1));
    return { reply, steps };
  } finally {
    EffortBudget.prototype.work = original;
  }
}
const original = EffortBudget.prototype.work;

const isTooMuch = (reply: Reply) => reply.kind === "error" && reply.text.startsWith("TOOMUCH ");

/** Reading commands that accept several keys, each with a call that names one key `count` times. */
function severalKeys(database: Database): ReadonlyMap<string, (count: number) => Argv> {
  const found = new Map<string, (count: number) => Argv>();
  for (const { name, reads, isQuery } of commandTable.all()) {
    if (!reads || isQuery) continue;
    const { keys } = commandTable.find(name) as Command;
    for (const key of KEYS)
      for (const [form, argv] of callsOf(name, key, 3).entries()) {
        const touches = touchesOf(keys, argv);
        if (touches.length !== 3 || touches.some((touch) => touch.key !== key)) continue;
        if (database.execute(argv, unit(1)).kind === "error") continue;
        found.set(name, (count) => callsOf(name, key, count)[form] as Argv);
      }
  }
  return found;
}

/** Returns how often a call can name its key, so that the request still has at most REQUEST_BYTES. */
function largestCount(call: (count: number) => Argv): number {
  let [least, most] = [3, REQUEST_BYTES];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (call(middle).join(" ").length <= REQUEST_BYTES) least = middle;
    else most = middle - 1;
  }
  return least;
}

test("what a read names twice counts twice", () => {
  const database = databaseOfAllTypes();
  const commands = severalKeys(database);
  for (const name of ["ZUNION", "ZINTERCARD", "SUNION", "SDIFF", "PFCOUNT", "XREAD", "ZDIFF"])
    assert.ok(commands.has(name), `${name} was not tried`);
  for (const [name, call] of commands) {
    const [once, often] = [1, NAMES].map((count) => counted(database, [call(count)]).steps) as [
      number,
      number,
    ];
    if (CONSTANT.includes(name)) assert.ok(often <= NAMES * SIZE, name);
    else assert.ok(often >= (NAMES / 4) * Math.max(once, SIZE / 10), `${name}: ${once} and ${often} steps`);
  }
});

test("a small read that names a large value very often is rejected, alone and in MULTI", () => {
  const database = databaseOfAllTypes();
  const more = Array.from({ length: 3000 }, (_, i) => `n${i}`);
  database.execute(["SADD", "m", ...more], unit(1));
  database.execute(["PFADD", "p", ...more], unit(2));
  database.execute(["ZADD", "z", ...more.flatMap((name, i) => [String(i), name])], unit(3));
  for (const [i, name] of more.entries()) database.execute(["XADD", "x", "*", "f", name], unit(10 + i));

  const elements = more.length + SIZE;
  const most = READ_STEPS + 2 * READ_STEPS_PER_ELEMENT * elements;
  let refused = 0;

  const calls = [...severalKeys(database)].map(([name, call]): Argv => {
    return call(CONSTANT.includes(name) ? 3 : largestCount(call));
  });
  const gets = repeated(60, () => ["GET", "#"]);
  calls.push(["SORT_RO", "m", "ALPHA", "BY", "w_*", ...gets, ...gets], ["SRANDMEMBER", "s1", "-300000"]);
  database.execute(["SADD", "s1", "a", "b"], unit(4));

  for (const argv of calls) {
    const { reply, steps } = counted(database, [argv]);
    if (isTooMuch(reply)) refused++;
    else assert.ok(steps <= most, `${steps} steps: ${argv.join(" ").slice(0, 100)}`);
  }
  assert.ok(refused >= 5, `only ${refused} of ${calls.length} were rejected`);

  const together = counted(database, [...Array<Argv>(1500).fill(["ZRANGE", "z", "0", "-1"]), ["GET", "s"]]);
  assert.ok(together.reply.kind === "array" && together.reply.items.some(isTooMuch));
});

test("a read of values that are named once is always permitted", () => {
  const database = databaseOfAllTypes();
  const fields = repeated(300, (i) => [`f${i}`, "v"]);
  for (let i = 0; i < SIZE; i++) database.execute(["XADD", "wide", "*", ...fields], unit(10 + i));

  for (const argv of [
    ["LRANGE", "l", "0", "-1"],
    ["SORT_RO", "l", "ALPHA"],
    ["SORT_RO", "m", "BY", "w_*", "GET", "#", "GET", "v_*"],
    ["SMEMBERS", "m"],
    ["SINTER", "m", "none"],
    ["SUNION", "m", "none"],
    ["ZUNION", "2", "z", "m", "WITHSCORES"],
    ["ZDIFF", "2", "z", "none"],
    ["ZRANGE", "z", "0", "-1", "WITHSCORES"],
    ["ZRANGE", "z", "-", "+", "BYLEX"],
    ["ZRANDMEMBER", "z", "100000"],
    ["GEOSEARCH", "g", "FROMLONLAT", "0", "10", "BYRADIUS", "20000", "km", "ASC", "WITHDIST"],
    ["DUMP", "z"],
    ["DUMP", "x"],
    ["XRANGE", "x", "-", "+"],
    ["XREAD", "STREAMS", "wide", "0"],
    ["XINFO", "STREAM", "wide", "FULL", "COUNT", "0"],
    ["XPENDING", "x", "group", "-", "+", "100000"],
    ["KEYS", "*"],
    ["MEMORY", "USAGE", "x", "SAMPLES", "0"],
    ["MDB.LISTDATABASES", "{}"],
  ]) {
    const { reply, steps } = counted(database, [argv]);
    const command = commandTable.resolve(argv);
    assert.ok(!(command instanceof CommandFailure), argv.join(" "));
    const allowed = allowanceOf({ command, argv, db: 0 }, database.keyspaces);

    assert.notEqual(reply.kind, "error", argv.join(" "));
    assert.ok(steps <= allowed, `${steps} of ${allowed} steps: ${argv.join(" ")}`);
  }
});
