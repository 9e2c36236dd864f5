/** Compares the estimates of MEMORY USAGE with the growth of the heap. test/conformance compares OBJECT's replies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import "../../../support/all-families.js";
import { Database } from "../../../../daemon/store/database.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { some } from "../../../support/amount.js";
import { StoreUnderTest } from "./store-under-test.js";

const KEYS = 20_000;
/** Maximum factor by which an estimate may be too high or too low. */
const FACTOR = 2;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Returns the bytes of the heap in use. */
function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Returns new bytes, so that no two keys share them. */
const text = (i: number, bytes: number): ByteString => Buffer.alloc(bytes, `${i}.`).toString("latin1");

const kinds: Readonly<Record<string, (i: number) => ByteString[]>> = {
  "short strings": (i) => ["SET", text(i, 12), text(i, 10)],
  "long strings": (i) => ["SET", text(i, 12), text(i, 1000)],
  "small hashes": (i) => [
    "HSET",
    text(i, 12),
    ...[1, 2, 3].flatMap((field) => [`f${field}`, text(i + field, 20)]),
  ],
  "streams of one entry": (i) => ["XADD", text(i, 12), "1-1", "field", text(i, 20)],
  lists: (i) => ["RPUSH", text(i, 12), ...[1, 2, 3, 4, 5, 6, 7, 8].map((index) => text(i + index, 30))],
  "sorted sets": (i) => [
    "ZADD",
    text(i, 12),
    ...Array.from({ length: 20 }, (_, index) => [String(index + 0.5), text(KEYS * index + i, 20)]).flat(),
  ],
};

/** The number of streams in `shared`. Many commands add to each of them. */
const STREAMS = 10;
const shared: typeof kinds = {
  "streams with unacknowledged groups": (i) =>
    i < STREAMS
      ? ["XGROUP", "CREATE", `s${i}`, "g", "0", "MKSTREAM"]
      : i < KEYS / 2
        ? ["XADD", `s${i % STREAMS}`, `${i}-1`, "f", "v"]
        : ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", `s${i % STREAMS}`, ">"],
  "long streams": (i) => ["XADD", `s${i % STREAMS}`, `${i + 1}-1`, "field", text(i, 200)],
};

/**
 * Keeps each measured database referenced until the end. If its memory were freed while the test measures the next
 * database, that would distort the result.
 */
const measured: Database[] = [];

for (const [kind, argvOf] of some(Object.entries({ ...kinds, ...shared }), 3)) {
  test(`MEMORY USAGE of ${kind} adds up to the growth of the heap`, () => {
    const database = new Database();
    measured.push(database);
    const unit = { at: 0, db: 0, id: "unit" };
    const before = heapBytes();
    for (let i = 0; i < KEYS; i++) database.execute(argvOf(i), unit);
    const grown = heapBytes() - before;
    let estimated = 0;
    for (const { key } of database.keyspaces[0]!.entries) {
      const reply = database.execute(["MEMORY", "USAGE", key], unit);
      estimated += reply.kind === "integer" ? Number(reply.value) : Number.NaN;
    }
    assert.equal(database.keyspaces[0]!.size, kind in shared ? STREAMS : KEYS);
    const message = `estimated ${estimated}, heap grew by ${grown}`;
    assert.ok(estimated < grown * FACTOR && grown < estimated * FACTOR, message);
  });
}

test("MEMORY USAGE samples the requested number of elements, or all", () => {
  const store = new StoreUnderTest();
  store.run(`RPUSH l ${"a ".repeat(5)}${"x".repeat(10_000)}`);
  const bytes = (line: string) => Number(store.run(line).slice(1));
  assert.ok(bytes("MEMORY USAGE l") < 1000);
  assert.ok(bytes("MEMORY USAGE l SAMPLES 0") > 10_000);
  assert.equal(bytes("MEMORY USAGE l SAMPLES 6"), bytes("MEMORY USAGE l SAMPLES 100"));
  assert.equal(store.run("MEMORY USAGE none"), "nil");
});
