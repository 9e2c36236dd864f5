/**
 * Tests that a command's key spec is complete: its reply and effects depend only on the keys that the spec names, and
 * the command changes only keys that it may write. The test checks every command of the table. DBSYNC_SEED replays a
 * run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../daemon/store/canonical-state.js";
import { Database } from "../../../daemon/store/database.js";
import { cloneValue } from "../../../daemon/store/values/value.js";
import { commandGrammars } from "../../conformance/families.js";
import { Generator } from "../../conformance/grammar.js";
import { shown } from "../../conformance/resp2-fold.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import {
  EPOCH,
  type RandomUnit,
  randomDatabase,
  randomUnit,
  SPREAD,
  shownUnit,
  touchesOfUnit,
} from "./random-unit.js";

const STATES = amount(1, 8);

const seed = seedOfRun();

test(`every command reads and writes only the keys that its key spec names (seed ${seed})`, () => {
  for (let number = 0; number < STATES; number++) {
    const g = new Generator({ random: new SeededRandom(seed, number), now: EPOCH });
    const database = randomDatabase(g);
    for (const grammar of commandGrammars) {
      check(database, randomUnit(g, grammar, EPOCH + g.random.below(2 * SPREAD), `${number}`));
    }
  }
});

/** Runs a unit on two copies, one of the complete state, one of the keys that the unit names. */
function check(database: Database, unit: RandomUnit): void {
  const where = `seed ${seed}, ${shownUnit(unit)}`;
  const touches = touchesOfUnit(unit);
  const names = (db: number, key: string, write: boolean) =>
    touches.some(
      (touch) =>
        (touch.db === db || touch.db === -1) &&
        (touch.key === key || touch.key === null) &&
        (!write || touch.access === "write"),
    );

  const before = canonicalState(database);
  const complete = copyOf(database, () => true);
  const part = copyOf(database, (db, key) => names(db, key, false));
  const [reply, replyOfPart] = [complete, part].map((copy) => shown(copy.execute(unit.argv, unit)));
  assert.equal(replyOfPart, reply, `the reply depends on other keys: ${where}`);

  const isOf = (line: string, write: boolean) => {
    const [db, key] = JSON.parse(line) as [number, string];
    return names(db, key, write);
  };

  const after = canonicalState(complete);
  assert.deepEqual(
    canonicalState(part),
    after.filter((line) => isOf(line, false)),
    `its effect depends on other keys: ${where}`,
  );
  assert.deepEqual(
    after.filter((line) => !isOf(line, true)),
    before.filter((line) => !isOf(line, true)),
    `it changes a key that it may not write: ${where}`,
  );
}

function copyOf(database: Database, includes: (db: number, key: string) => boolean): Database {
  const copy = new Database();
  database.keyspaces.forEach((keyspace, db) => {
    for (const { key, value, expire, writer } of keyspace.entries) {
      if (includes(db, key)) copy.keyspaces[db]!.set(key, cloneValue(value), expire, writer);
    }
  });
  return copy;
}
