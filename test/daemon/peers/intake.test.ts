/** What members push is handed over only as long as what verified it still holds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IncomingBatch } from "../../../daemon/peers/incoming-batch.js";
import { type Giver, Intake } from "../../../daemon/peers/intake.js";
import { PEERING_LIMITS } from "../../../daemon/peers/peering-limits.js";
import { Slices } from "../../../daemon/peers/slices.js";
import { Traces } from "../../../daemon/peers/traces.js";
import { writeEntries } from "../../../protocol/member-packing.js";
import type { Entry } from "../../../timeline/entry.js";
import { EPOCH, entryOf, sha256 } from "./entries.js";
import { FakeTimeline } from "./fake-timeline.js";

/** More than are verified in one go. */
const ENTRIES = 20;

const giver: Giver = {
  ...{ id: "giver", bit: 1, gave: () => {}, owe: () => {}, unknown: () => {} },
  ...{ refused: assert.fail, malformed: assert.fail },
};

/** @param between  called while entries are being verified @returns how many were taken */
function push(between: (handover: { adoptions: number }) => void): number {
  const soon = (step: () => void) => step();
  const timeline = new FakeTimeline(soon, () => {});
  const handover = { adoptions: 0 };
  timeline.handover = handover as FakeTimeline["handover"] & object;
  const entries = Array.from({ length: ENTRIES }, (_, i) => entryOf(i));
  const byBody = new Map(entries.map((entry) => [entry.body.toString("latin1"), entry]));
  const clocks = { clock: () => EPOCH, uptime: () => 0 };
  const intake = new Intake({
    peering: {
      ...{ timeline, hash: sha256, limits: PEERING_LIMITS, ...clocks },
      checkEntry: (body) => byBody.get(body.toString("latin1")) as Entry,
    },
    slices: new Slices({ ...clocks, soon, sliceMs: 1 }),
    traces: new Traces(PEERING_LIMITS, () => false),
  });
  const batch: IncomingBatch = { pending: 0, isRead: false, changed: () => {} };
  const packed = writeEntries(entries);
  const message = {
    kind: "push",
    number: 1,
    bytes: packed.length,
    isDeflated: false,
    entries: packed,
  } as const;
  const work = intake.push(message, giver, batch);
  assert.equal(work.next().done, false);
  between(handover);
  while (work.next().done !== true);
  assert.ok(batch.isRead, "the member is told that it is dealt with");
  return [...timeline.storage.places(null, null)].length;
}

test("what was verified before a snapshot was taken over is not taken after it", () => {
  assert.equal(
    push(() => {}),
    ENTRIES,
  );
  assert.equal(
    push((handover) => handover.adoptions++),
    0,
  );
});
