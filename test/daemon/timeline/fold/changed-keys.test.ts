/** Tests how many changed keys are collected in one step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { UndoRecord } from "../../../../daemon/store/keyspace/undo.js";
import { CHANGED_KEYS_MAX, changedBy } from "../../../../daemon/timeline/fold/changed-keys.js";
import type { TailEntry } from "../../../../daemon/timeline/fold/tail.js";
import { double } from "../../../support/double.js";
import { AT, idOf } from "../support/fold-subject.js";

/** Returns an entry that has changed the given number of keys. */
function changing(keys: number, seq: number): TailEntry {
  const records = Array.from({ length: keys }, (_, i) => ({ db: 0, key: `k${i}` }) as unknown as UndoRecord);
  return double<TailEntry>({ at: AT, seq, id: idOf(`${seq}`), undoing: [records] });
}

test("no further entry is read after many keys, however few entries changed them", () => {
  const entries = [CHANGED_KEYS_MAX - 1, 1, 1, 1].map(changing);
  const { keys, next } = changedBy(entries, 10);
  assert.deepEqual([keys.length, next], [CHANGED_KEYS_MAX, { at: AT, seq: 2, id: idOf("2") }]);
  assert.equal(changedBy(entries.slice(1), 2).next?.seq, 3);
  assert.equal(changedBy(entries.slice(1), 10).next, null);
});
