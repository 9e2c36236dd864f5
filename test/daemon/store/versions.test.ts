/** Tests that the version of a key differs after each change of the key. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Database } from "../../../daemon/store/database.js";
import { typeName } from "../../../daemon/store/values/value.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { commandGrammars } from "../../conformance/families.js";
import { Generator } from "../../conformance/grammar.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { EPOCH, randomDatabase, randomUnit, shownUnit } from "./random-unit.js";

const seed = seedOfRun();
const RUNS = amount(2, 10);
const UNITS = 200;
/** Commands on streams, whose groups have a last writer of their own. */
const STREAMS = commandGrammars.filter(({ name }) => name.startsWith("X"));

interface KeyState {
  readonly content: string;
  readonly version: ByteString;
}

/** Returns the content and the version of each key, by database and name. */
function keysOf(database: Database): Map<string, KeyState> {
  const found = new Map<string, KeyState>();
  for (const [db, { entries }] of database.keyspaces.entries())
    for (const { key, value, expire } of entries) {
      const content = [typeName(value), expire, typeof value === "string" ? value : value.canonical()];
      const version = database.versionOf(db, key, 0);
      found.set(JSON.stringify([db, key]), { content: JSON.stringify(content), version });
    }
  return found;
}

test(`whatever changes the content of a key changes its version (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const g = new Generator({ random, now: EPOCH });
    const database = randomDatabase(g);
    let before = keysOf(database);
    for (let remaining = UNITS; remaining > 0; remaining--) {
      const grammar = random.oneOf(STREAMS.length > 0 && g.chance(0.5) ? STREAMS : commandGrammars);
      // All have the first date, so that nothing expires between them: a date is not a change of the key.
      const unit = randomUnit(g, grammar, EPOCH, `u${remaining}`);
      database.execute(unit.argv, unit);
      const after = keysOf(database);
      for (const [name, { content, version }] of after) {
        const old = before.get(name);
        assert.ok(
          old === undefined || old.content === content || old.version !== version,
          `DBSYNC_SEED=${seed}, run ${run}, key ${name}: ${shownUnit(unit)}`,
        );
      }
      before = after;
    }
  }
});
