/** Tests what a daemon records as the choices of commands, and that finding them changes nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  choicesOf,
  inRecordedForm,
  type Unsigned,
} from "../../../../daemon/cluster/replica/recorded-choices.js";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../daemon/store/database.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { EXPIRY_MAX } from "../../../../protocol/version-2/envelope.js";
import { hasCode } from "../../../support/installed-families.js";

const AT = 1_790_000_000_000;
const STEPS = 1_000_000;

function prepared(...lines: string[]): Database {
  const database = new Database();
  for (const line of lines) database.execute(line.split(" "), { at: AT, db: 0, id: "u".repeat(36) });
  return database;
}

function chosen(
  database: Database,
  lines: readonly string[],
  {
    multi = false,
    conditions = null,
    units = null,
    stepsMax = STEPS,
  }: Partial<Unsigned & { stepsMax: number }> = {},
): Record<number, readonly ByteString[]> | null {
  const commands = lines.map((line) => line.split(" "));
  const unsigned = { db: 0, multi, conditions, units, commands };
  const unitId = () => "i".repeat(36);
  const { choices } = choicesOf(unsigned, { at: AT + 5, seq: 0 }, { database, stepsMax, unitId });
  return choices === null ? null : Object.fromEntries(choices);
}

test("a claim sees the commands before it in the envelope", () => {
  const database = prepared("SET k 1");
  assert.deepEqual(chosen(database, ["GETDEL k", "GETDEL k", "SET k 2", "GETDEL k", "SET k 3"]), {
    0: ["1"],
    1: [],
    3: ["2"],
  });
});

test("claims of a unit with a refused command take nothing, and those of the other units take", () => {
  for (const [lines, units, choices] of [
    [["LPOP l", "LPOP", "LPOP l"], [2, 1], { 2: ["a"] }],
    [["LPOP l", "LPOP", "LPOP l"], [1, 2], { 0: ["a"] }],
    [["LPOP l", "NONE", "LPOP l", "LPOP l", "LPOP l"], [1, 1, 2, 1], { 0: ["a"], 2: ["b"], 3: ["c"], 4: [] }],
    [["LPOP l", "LPOP l", "LPOP l", "LPOP l", "NONE"], [1, 1, 3], { 0: ["a"], 1: ["b"] }],
    [["NONE", "LPOP l"], [2], null],
  ] as const)
    assert.deepEqual(chosen(prepared("RPUSH l a b c"), lines, { units }), choices, `${lines} ${units}`);
});

test("a claim whose key another command changes sees that change", { skip: !hasCode("XADD") }, () => {
  const database = prepared("RPUSH l a", "ZADD z 1 a", "XADD s 1-1 f v", "XGROUP CREATE s g 0");
  const read = "XREADGROUP GROUP g c COUNT 1 STREAMS s >";
  assert.deepEqual(
    chosen(database, [
      "LPOP l",
      "RPUSH l b c",
      "LPOP l",
      "RPOP l",
      "ZREM z a",
      "ZPOPMIN z",
      "XTRIM s MAXLEN 0",
      read,
    ]),
    { 0: ["a"], 2: ["b"], 3: ["c"], 5: [], 7: [] },
  );
});

test("the first claim of an envelope sees what a command before it has added to its key", () => {
  assert.deepEqual(chosen(prepared("RPUSH l a"), ["LPUSH l b", "LPOP l"]), { 1: ["b"] });
});

test("claims of the same key take one after the other, without being run", { skip: !hasCode("XADD") }, () => {
  const database = prepared(
    "RPUSH l a b c",
    "ZADD z 1 a 2 b",
    "XADD s 1-1 f v",
    "XADD s 1-2 f v",
    "XGROUP CREATE s g 0",
  );

  const read = "XREADGROUP GROUP g c COUNT 1 STREAMS s >";
  const commands = [
    "LPOP l",
    "RPOP l",
    "SET k v",
    "LPOP l",
    "LPOP l",
    "ZPOPMAX z",
    "ZPOPMIN z",
    "ZPOPMIN z",
    read,
    read,
    read,
  ];
  const choices = {
    0: ["a"],
    1: ["c"],
    3: ["b"],
    4: [],
    5: ["b", "2"],
    6: ["a", "1"],
    7: [],
    8: ["0", "1", "1-1"],
    9: ["0", "1", "1-2"],
    10: [],
  };

  // A run would exceed this.
  assert.deepEqual(chosen(database, commands, { stepsMax: -1_000 }), choices);
});

test("a call that names a stream twice takes its entries once", { skip: !hasCode("XADD") }, () => {
  const database = prepared("XADD s 1-1 f v", "XGROUP CREATE s g 0");
  assert.deepEqual(chosen(database, ["XREADGROUP GROUP g c STREAMS s s > >"]), { 0: ["0", "1", "1-1"] });
});

/** Returns the replies to commands that are signed on a state, with the id that follows from the signed bytes. */
function answers(database: Database, lines: readonly string[]): Reply[] {
  const commands = lines.map((line) => line.split(" "));
  const unsigned = { db: 0, multi: true, conditions: null, commands };
  const trial = { database, stepsMax: STEPS, unitId: () => "i".repeat(36) };
  const chosen = choicesOf(unsigned, { at: AT + 5, seq: 0 }, trial);
  const recorded = inRecordedForm(commands, chosen);
  const signed = { at: AT + 5, seq: 0, db: 0, id: "s".repeat(36), choices: chosen.choices };
  const reply = database.executeMulti(recorded, signed);
  return "items" in reply ? [...reply.items] : [];
}

test("a claim takes what a command before it has added with an id of its own", {
  skip: !hasCode("XADD"),
}, () => {
  const read = "XREADGROUP GROUP g c STREAMS s >";
  const stream = prepared("XGROUP CREATE s g $ MKSTREAM");
  const [added, taken, again] = answers(stream, ["XADD s * f v", read, "XAUTOCLAIM s g d 0 0 JUSTID"]);
  const id = added?.kind === "bulk" ? added.bytes : assert.fail();
  assert.match(JSON.stringify(taken), new RegExp(id));
  assert.match(JSON.stringify(again), new RegExp(id));

  const renamed = ["XADD s * f v", "RENAME s t", "XREADGROUP GROUP g c STREAMS t >"];
  assert.match(JSON.stringify(answers(prepared("XGROUP CREATE s g $ MKSTREAM"), renamed)[2]), /"v"/);

  const jobs = prepared("DOC.CREATE jobs");
  const [keys, changed] = answers(jobs, [
    'DOC.INSERT jobs {"state":"new"}',
    'DOC.UPDATE jobs {"state":"taken"} WHERE {"state":"new"} LIMIT 0 1',
  ]);
  const key = keys !== undefined && "items" in keys ? keys.items[0] : undefined;
  assert.match(JSON.stringify(changed), new RegExp(key?.kind === "bulk" ? key.bytes : "missing"));
});

test("a command is recorded as it was sent if no claim after it has to be run", {
  skip: !hasCode("XADD"),
}, () => {
  const forms = (...lines: string[]) => {
    const commands = lines.map((line) => line.split(" "));
    const unsigned = { db: 0, multi: false, conditions: null, commands };
    const database = prepared("XGROUP CREATE s g 0 MKSTREAM", "SADD set a", "SET k 1 PXAT 1790000009000");
    const trial = { database, stepsMax: STEPS, unitId: () => "i".repeat(36) };
    return choicesOf(unsigned, { at: AT + 5, seq: 0 }, trial).forms;
  };
  const read = "XREADGROUP GROUP g c STREAMS s >";
  assert.equal(forms("XADD s * f v", "XADD s * f v"), null);
  assert.equal(forms("XADD other * f v", read), null);
  assert.equal(forms("XADD set * f v", "XADD none NOMKSTREAM * f v", "XADD s 5-5 f v", read), null);
  assert.equal(forms("DEL k", "XADD s * f v", "SET k 1 PXAT 1790000009000", "INCR k"), null);
  assert.deepEqual([...(forms("XADD s * f v", read, "XADD s * f v")?.keys() ?? [])], [0]);
  // At another position, the entry gets the next id if this one is taken.
  assert.equal(forms("XADD s 5-* f v", read)?.get(0)?.[2], "5-0+");
});

test("no choice is recorded for commands that take nothing they answer", () => {
  assert.equal(chosen(prepared("SET k 1"), ["SET k 2", "INCR k", "DEL k"]), null);
});

test("a claim that fails, or whose conditions do not hold, takes nothing", () => {
  const database = prepared("SADD s a");
  assert.deepEqual(chosen(database, ["GETDEL s"]), { 0: [] });
  const conditions = [{ db: 0, key: "s", writer: "other".padEnd(36, "-") }];
  assert.deepEqual(chosen(database, ["INCR n", "SPOP s"], { multi: true, conditions }), { 1: [] });
});

test("finding choices leaves the state, its listener and the counts of look-ups as they were", () => {
  const database = prepared("SADD s a b c", "SET k 1", "SET gone 1 PXAT 1790000000001", "SET t 1");
  const told: unknown[] = [];
  database.observer = {
    applied: (change) => told.push(change),
    removed: (...change) => told.push(change),
    redone: (change) => told.push(change),
    replaced: () => told.push("replaced"),
    holdEvents: () => told.push("hold"),
    releaseEvents: (isDone) => told.push(isDone),
  };

  const before = canonicalState(database);
  const { hits, misses } = database.lookups;
  const expired = database.expiredKeys(AT);

  assert.equal(
    Object.keys(chosen(database, ["SPOP s 2", "GETDEL k", "GETDEL gone", "GETDEL x"]) ?? {}).length,
    4,
  );

  assert.deepEqual(canonicalState(database), before);
  assert.deepEqual([database.lookups.hits, database.lookups.misses], [hits, misses]);
  assert.equal(database.expiredKeys(AT), expired);
  assert.deepEqual(told, []);
});

function keptExpiries(database: Database, lines: readonly string[]): Record<number, number> | null {
  const commands = lines.map((line) => line.split(" "));
  const unsigned = { db: 0, multi: false, conditions: null, commands };
  const unitId = () => "i".repeat(36);
  const { expiries } = choicesOf(unsigned, { at: AT + 5, seq: 0 }, { database, stepsMax: STEPS, unitId });
  return expiries === null ? null : Object.fromEntries(expiries);
}

test("the expiry that a command keeps is recorded, as it is before the command", () => {
  const database = prepared("SET k 1 PXAT 1790000009000", "SET plain 1", "SET gone 1 PXAT 1790000000001");
  assert.equal(keptExpiries(database, ["INCR plain", "INCR new", "SET k 2", "INCR gone"]), null);
  assert.deepEqual(keptExpiries(database, ["INCR k", "INCR plain", "APPEND k x"]), {
    0: 1_790_000_009_000,
    2: 1_790_000_009_000,
  });
  assert.equal(keptExpiries(database, ["PERSIST k", "INCR k"]), null);
  assert.deepEqual(keptExpiries(database, ["PEXPIREAT k 1790000008000", "INCR k", "DEL k", "INCR k"]), {
    1: 1_790_000_008_000,
  });
  assert.deepEqual(keptExpiries(database, ["RENAME k k2", "INCR k2", "INCR k"]), { 1: 1_790_000_009_000 });
  assert.deepEqual(keptExpiries(prepared(), ["INCR a", "PEXPIREAT a 1790000008000", "INCR a"]), {
    2: 1_790_000_008_000,
  });
});

test("XGROUP CREATE keeps the expiry of a stream only with MKSTREAM, which may create it", {
  skip: !hasCode("XADD"),
}, () => {
  const database = prepared("XADD s 1-1 f v", "PEXPIREAT s 1790000009000");
  assert.equal(keptExpiries(database, ["XGROUP CREATE s g $ ENTRIESREAD 0"]), null);
  assert.deepEqual(keptExpiries(database, ["XGROUP CREATE s g $ ENTRIESREAD 0 mkstream", "XADD s * f v"]), {
    0: 1_790_000_009_000,
    1: 1_790_000_009_000,
  });
});

test("the expiry of a key that a command before has removed is not recorded", () => {
  const expires = "PEXPIREAT k 1790000009000";
  assert.equal(keptExpiries(prepared("SET k 1", expires), ["GETDEL k", "INCR k"]), null);
  assert.equal(keptExpiries(prepared("RPUSH k 1", expires), ["LPOP k", "RPUSH k 2"]), null);
  assert.equal(keptExpiries(prepared("RPUSH k 1", expires), ["LMOVE k l LEFT LEFT", "RPUSH k 2"]), null);
  assert.equal(keptExpiries(prepared("RPUSH k 1", expires), ["BLPOP k 0", "RPUSH k 2"]), null);
  assert.equal(keptExpiries(prepared("SADD k 1", expires), ["SMOVE k l 1", "SADD k 2"]), null);
  assert.deepEqual(keptExpiries(prepared(), ["SET k 1 NX PXAT 1790000009000", "INCR k"]), {
    1: 1_790_000_009_000,
  });
});

test("a command that the fold refuses leaves the choices of the others of its envelope", () => {
  const lines = ["GETDEL k", "NOSUCH k", "GETDEL k", "SELECT 1", "GET"];
  assert.deepEqual(chosen(prepared("SET k 1"), lines), { 0: ["1"], 2: [] });
  assert.equal(chosen(prepared("SET k 1"), lines, { multi: true }), null);
});

test("a key's expiry that no envelope can contain is recorded as the latest that one can", () => {
  const database = prepared(
    "SET k 1",
    "PEXPIREAT k 9223372036854775807",
    "SET j 1",
    "PEXPIREAT j 1790000009000",
  );
  const expiries = keptExpiries(database, ["INCR k", "INCR j"]);
  assert.deepEqual(expiries, { 0: EXPIRY_MAX, 1: 1_790_000_009_000 });
});
