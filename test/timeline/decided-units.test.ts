/** Tests which units the timeline knows to be decided. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readEntryBody, writeDecision } from "../../protocol/version-2/decision-body.js";
import { DecidedUnits } from "../../timeline/decided-units.js";
import type { Entry } from "../../timeline/entries/entry.js";
import { MemoryStorage } from "../../timeline/memory-storage.js";
import type { TimelineParts } from "../../timeline/timeline-environment.js";
import { double } from "../support/double.js";
import { AT, entry, idOf } from "./support/fold-subject.js";

test("a decision makes its unit known by the id of the client's envelope", () => {
  const unit = idOf("unit");
  const decided = new DecidedUnits(
    double<TimelineParts>({
      clock: () => AT,
      window: { past: 30_000, future: 5_000 },
      hash: () => unit,
      storage: new MemoryStorage(),
    }),
  );
  const { body, signature } = entry("client", 0, ["SET k v"], { decide: true });
  const head = { slot: 1, previous: null, at: AT + 50, seq: 0, outcome: "applied" } as const;
  const bytes = writeDecision({ ...head, unit: { body, signature } });
  const decision: Entry = { id: idOf("d"), body: bytes, signature, envelope: readEntryBody(bytes) };
  assert.deepEqual(decided.note([entry("plain", 1, ["SET k w"]), decision]), [{ id: unit }]);
  assert.deepEqual(decided.find(unit), { at: AT + 50, seq: 0, id: decision.id });
  assert.deepEqual(decided.note([entry("plain", 1, ["SET k w"])]), []);
});
