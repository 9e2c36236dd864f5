/** A state with a value of each type, on which tests of budgets run commands. */
import "../../support/installed-families.js";
import assert from "node:assert/strict";
import { Database } from "../../../daemon/store/database.js";
import type { Unit } from "../../../daemon/store/keyspace/unit.js";

export type Argv = readonly string[];

/** Number of elements in each value. */
export const SIZE = 500;

export const unit = (id: number): Unit => ({ at: 1000, db: 0, id: String(id).padStart(36, "0"), seq: id });
export const repeated = (count: number, make: (i: number) => string | readonly string[]) =>
  Array.from({ length: count }, (_, i) => make(i)).flat();

/** Commands that create a value of each type. */
const STATE: readonly Argv[] = [
  ["SET", "s", "x".repeat(10_000)],
  ["RPUSH", "l", ...repeated(SIZE, (i) => `e${i}`)],
  ["SADD", "m", ...repeated(SIZE, (i) => `m${i}`)],
  ["HSET", "h", ...repeated(SIZE, (i) => [`f${i}`, "v"])],
  ["ZADD", "z", ...repeated(SIZE, (i) => [String(i), `m${i}`])],
  ["GEOADD", "g", ...repeated(SIZE, (i) => [String((i % 360) - 180), "10", `p${i}`])],
  ["PFADD", "p", ...repeated(SIZE, (i) => `e${i}`)],
  ...Array.from({ length: SIZE }, (_, i): Argv => ["XADD", "x", `${i + 1}-1`, "f", "v"]),
  [
    "MDB.INSERT",
    "d",
    "c",
    "1",
    ...repeated(SIZE, (i) => `{"_id":${i},"n":1,"s":"${"a".repeat(30)}","q":[1,2]}`),
  ],
  ["DOC.CREATE", "doc"],
  ["DOC.INSERT", "doc", ...repeated(SIZE, (i) => `{"a":${i},"b":"x"}`)],
  ["XGROUP", "CREATE", "x", "group", "0"],
  ["XREADGROUP", "GROUP", "group", "first", "STREAMS", "x", ">"],
  ["SQL", "", "create database d"],
  ["SQL", "d", "create table t (a number, v text)"],
  ["SQL", "d", `insert into t values ${repeated(SIZE, (i) => `(${i},'x')`).join(",")}`],
];

export function databaseOfAllTypes(): Database {
  const database = new Database();
  for (const [i, argv] of STATE.entries()) {
    const reply = database.execute(argv, unit(i));
    assert.notEqual(reply.kind, "error", `${argv.slice(0, 3)}: ${JSON.stringify(reply).slice(0, 200)}`);
  }
  return database;
}
