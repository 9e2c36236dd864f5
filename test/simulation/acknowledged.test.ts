/** Tests which acknowledgements of units with conditions the simulation reports as wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { orderKeyOf, writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { bytesOf } from "../../protocol/byte-string.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import { unitId } from "../../protocol/version-2/unit-names.js";
import { SeededRandom } from "../support/seeded-random.js";
import { wrongAcknowledgements } from "./acknowledged.js";
import { makeKey, randomBytes } from "./cast.js";
import { Ledger } from "./ledger.js";
import { sign } from "./signatures.js";

const random = new SeededRandom(1);
const key = makeKey(random);

const entryAt = (at: number, command: readonly string[], conditions: readonly Condition[] | null = null) =>
  sign(
    key,
    { cluster: randomBytes(random, 32), nonce: randomBytes(random, 16), at, seq: 0, if: conditions },
    [command],
  );

const write = entryAt(1_000, ["SET", "k", "1"]);
const other = entryAt(1_000, ["SET", "x", "1"]);
const conditional = entryAt(2_000, ["SET", "k", "2"], [{ db: 0, key: "k", writer: unitId(write.id, 0) }]);

/** Returns what the check reports if the unit was acknowledged as applied, but became unmet. */
function problemsWith(entries: readonly (typeof write)[], lost: readonly (typeof write)[]): string[] {
  const ledger = new Ledger();
  for (const entry of [write, other, conditional])
    ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
  ledger.conditional.push({
    entry: conditional,
    word: "applied",
    known: new Set([write.id, other.id]),
  });
  const id = unitId(conditional.id, 0);
  const about = { isUndecided: false, isOnDecidedKeys: false };
  const units = new Map([[id, { id, reply: { kind: "nil-array" }, isVoid: true, ...about } as const]]);
  const orderKeys = new Set(lost.map((entry) => bytesOf(writeOrderKey(orderKeyOf(entry)))));
  return wrongAcknowledgements({ ledger }, entries, { units }, orderKeys);
}

test("an acknowledged condition must hold while the write that it names exists", () => {
  assert.equal(problemsWith([write, other, conditional], []).length, 1);
});

test("an acknowledged condition may become unmet once the write that it names is lost", () => {
  assert.deepEqual(problemsWith([other, conditional], [write]), []);
});

test("the loss of a write to another key excuses nothing", () => {
  assert.equal(problemsWith([write, conditional], [other]).length, 1);
});

test("a write that was lost in one place but still exists excuses nothing", () => {
  assert.equal(problemsWith([write, other, conditional], [write]).length, 1);
});
