/** Tests that the digests of keys are equal for equal states, and different for different ones. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { canonicalState, digestOfEntry, hashOfKey } from "../../../daemon/store/canonical-state.js";
import { Database } from "../../../daemon/store/database.js";
import { KeyRing } from "../../../daemon/store/key-ring.js";
import { DigestIndex } from "../../../daemon/timeline/compare/digest-index.js";
import { readSnapshot, writeSnapshot } from "../../../daemon/timeline/snapshots/snapshot.js";
import { bytesOf } from "../../../protocol/byte-string.js";
import { finish } from "../../../protocol/steps.js";
import { commandGrammars } from "../../conformance/families.js";
import { Generator } from "../../conformance/grammar.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { EPOCH, randomDatabase, randomUnit, SPREAD, shownUnit } from "./random-unit.js";

const seed = seedOfRun();
const RUNS = amount(1, 10);
const UNITS = 300;
const SALT = 7;

const hash = (bytes: Buffer) => bytesOf(createHash("sha256").update(bytes).digest());

/** Returns the digests, by database and name. */
function digests(database: Database, salt = SALT): Map<string, string> {
  const result = new Map<string, string>();
  for (const [db, { entries }] of database.keyspaces.entries())
    for (const entry of entries) {
      const { high, low } = digestOfEntry(db, entry, salt);
      result.set(JSON.stringify([db, entry.key]), `${high} ${low}`);
    }
  return result;
}

/** Returns, by database and name, the state that is equal on all daemons: without the progress of stream groups. */
function lines(database: Database): Map<string, string> {
  return new Map(
    canonicalState(database).map((line): [string, string] => {
      const [db, key, type, expire, writer, value] = JSON.parse(line) as unknown[];
      const compared = type === "stream" ? (value as unknown[]).slice(0, 4) : value;
      return [JSON.stringify([db, key]), JSON.stringify([type, expire, writer, compared])];
    }),
  );
}

const names = (...maps: readonly Map<string, string>[]) => new Set(maps.flatMap((map) => [...map.keys()]));

test(`a digest changes with the state and with nothing else (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const g = new Generator({ random, now: EPOCH });
    const database = randomDatabase(g);
    let before = { lines: lines(database), digests: digests(database) };
    for (let remaining = UNITS; remaining > 0; remaining--) {
      const unit = randomUnit(
        g,
        random.oneOf(commandGrammars),
        EPOCH + random.below(SPREAD),
        `u${remaining}`,
      );
      database.execute(unit.argv, unit);
      const after = { lines: lines(database), digests: digests(database) };
      for (const name of names(before.lines, after.lines))
        assert.equal(
          before.digests.get(name) === after.digests.get(name),
          before.lines.get(name) === after.lines.get(name),
          `DBSYNC_SEED=${seed}, run ${run}, key ${name}: ${shownUnit(unit)}`,
        );
      before = after;
    }
  }
});

test(`a state restored from a snapshot has the same digests (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const database = randomDatabase(new Generator({ random: new SeededRandom(seed, run), now: EPOCH }));
    const state = { database, ringEntries: [], cutAt: 0, sums: new DigestIndex().serialise(0) };
    const genesis = () => new KeyRing({ hash: (bytes) => hash(Buffer.from(bytes, "latin1")) });
    const parts = { genesis, databases: database.keyspaces.length, hash };
    const restored = finish(readSnapshot([...writeSnapshot(state, hash)], parts));
    assert.deepEqual(
      [...digests(restored.database)].sort(),
      [...digests(database)].sort(),
      `DBSYNC_SEED=${seed}, run ${run}`,
    );
  }
});

test("each salt selects another part of a large value, and all parts are selected eventually", () => {
  const database = new Database();
  const unit = { at: EPOCH, db: 0, id: "unit" };
  database.execute(["RPUSH", "list", ...Array.from({ length: 5000 }, (_, i) => `${i}`)], unit);
  database.execute(["SET", "string", "x".repeat(300_000)], unit);
  const salts = Array.from({ length: 20 }, (_, salt) => salt);
  const before = salts.map((salt) => digests(database, salt));
  database.execute(["LSET", "list", "4500", "other"], unit);
  database.execute(["SETRANGE", "string", "200000", "other"], unit);
  for (const key of ["list", "string"]) {
    const name = JSON.stringify([0, key]);
    const differs = salts.filter((salt) => digests(database, salt).get(name) !== before[salt]?.get(name));
    assert.ok(differs.length > 0 && differs.length < salts.length, `${key}: ${differs.length}`);
  }
});

test("each salt selects another part of long elements, and all parts are selected eventually", () => {
  const database = new Database();
  const unit = { at: EPOCH, db: 0, id: "unit" };
  const long = "x".repeat(10_000);
  database.execute(["RPUSH", "list", ...Array.from({ length: 1100 }, () => long)], unit);
  // These salts select the part of the value that begins at 1024.
  const salts = Array.from({ length: amount(40, 100) }, (_, i) => 2 * i + 1);
  const before = salts.map((salt) => digests(database, salt));
  const name = JSON.stringify([0, "list"]);
  for (const at of [0, 5000, 9999]) {
    database.execute(["LSET", "list", "1050", `${long.slice(0, at)}y${long.slice(at + 1)}`], unit);
    const differs = salts.filter(
      (salt) => digests(database, salt).get(name) !== before[salts.indexOf(salt)]?.get(name),
    );
    assert.ok(differs.length > 0 && differs.length < salts.length / 2, `byte ${at}: ${differs.length}`);
  }
});

test("the salt determines how names are distributed over buckets", () => {
  const buckets = (salt: number) => {
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) {
      const bucket = Math.floor((hashOfKey(0, `user:${i}`, salt) / 2 ** 32) * 16);
      counts[bucket] = (counts[bucket] as number) + 1;
    }
    return counts;
  };
  for (const count of buckets(1)) assert.ok(count > 800 && count < 1200, String(count));
  assert.notDeepEqual(buckets(1), buckets(2));
});
