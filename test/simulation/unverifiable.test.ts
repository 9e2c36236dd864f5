/**
 * Tests that the check of acknowledged entries excuses the loss of an entry whose signer's key was added by a lost
 * entry only if a fault destroyed that entry, and no other entry adds the key.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, orderKeyOf, writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { bytesOf } from "../../protocol/byte-string.js";
import { SeededRandom } from "../support/seeded-random.js";
import { makeKey, randomBytes } from "./cast.js";
import { Ledger } from "./ledger.js";
import { type SimulatedKey, sha256, sign } from "./signatures.js";
import { orphanedByFaults } from "./unverifiable.js";
import { EPOCH } from "./world.js";

const random = new SeededRandom(1);
const [root, key, next] = [makeKey(random), makeKey(random), makeKey(random)];
const genesis = { cluster: sha256(root.id), applications: [], roots: [root] };

const entryOf = (signer: SimulatedKey, command: readonly string[]): Entry =>
  sign(signer, { cluster: genesis.cluster, nonce: randomBytes(random, 16), db: 0, at: EPOCH, seq: 0 }, [
    command,
  ]);
const adding = (signer: SimulatedKey, { spki }: SimulatedKey): Entry =>
  entryOf(signer, ["KEY", "ADD", Buffer.from(spki, "latin1").toString("base64"), "RULES", "+@all", "~*"]);
const orderKey = (entry: Entry) => bytesOf(writeOrderKey(orderKeyOf(entry)));

const [first, again, chained] = [adding(root, key), adding(root, key), adding(key, next)];
const [write, later] = [entryOf(key, ["SET", "k", "v"]), entryOf(next, ["SET", "k", "w"])];
const all = [first, again, chained, write, later];

for (const [title, { readable, lost, excused }] of Object.entries({
  "a fault destroyed the entry that added its key": { readable: [write], lost: [first], excused: [write] },
  "the entry that added its key is missing for another reason": { readable: [write], lost: [], excused: [] },
  "a fault destroyed another entry": { readable: [write], lost: [chained], excused: [] },
  "another entry adds its key": { readable: [again, write], lost: [first], excused: [] },
  "its key was added by a key whose addition a fault destroyed": {
    readable: [chained, later],
    lost: [first],
    excused: [chained, later],
  },
  "its key's addition is missing for another reason, but was signed by a lost key": {
    readable: [later],
    lost: [first],
    excused: [],
  },
}))
  test(`an entry is ${excused.length > 0 ? "" : "not "}excused if ${title}`, () => {
    const ledger = new Ledger();
    for (const entry of all) ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
    for (const entry of lost) ledger.lost.add(orderKey(entry));
    const found = orphanedByFaults(new Set(readable.map(orderKey)), { genesis, ledger });
    assert.deepEqual(found.sort(), excused.map(orderKey).sort());
  });
