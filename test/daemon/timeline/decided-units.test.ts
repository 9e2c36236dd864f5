/** Tests which units the timeline knows to be decided. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecidedUnits } from "../../../daemon/timeline/decided-units.js";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import type { TimelineParts } from "../../../daemon/timeline/timeline-environment.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { readEntryBody, writeDecision } from "../../../protocol/version-2/decision-body.js";
import { signedBytes } from "../../../protocol/version-2/envelope.js";
import { sha256 } from "../../simulation/signatures.js";
import { double } from "../../support/double.js";
import { AT, entry, idOf } from "./support/fold-subject.js";
import { TimelineSubject } from "./support/timeline-subject.js";

/** A disk that writes only if somebody waits for it. */
class AwaitedStorage extends MemoryStorage {
  awaited = 0;

  override flushNow(): boolean {
    this.awaited++;
    return super.flushNow();
  }
}

test("a client's answer waits for the disk after a plain write, and not after a decision", async () => {
  const storage = new AwaitedStorage();
  const { timeline, folded } = await new TimelineSubject({ storage }).open();
  timeline.accept(entry("client", 0, ["SET k v"]));
  assert.equal(storage.awaited, 1);

  const { body, signature } = entry("client", 1, ["SET k w"], { decide: true });
  const head = {
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: AT + 50,
    seq: 0,
    outcomes: ["applied"],
  } as const;
  const bytes = writeDecision({ ...head, unit: { body, signature } });

  timeline.acceptDecisions(
    [{ id: idOf("d"), body: bytes, signature, envelope: readEntryBody(bytes) }],
    idOf("own"),
  );
  assert.deepEqual([storage.awaited, folded.at(-1)?.entries[0]?.id], [1, idOf("d")]);
});

test("the last decided units are known for longer than members propose them, and no further ones", () => {
  let now = AT;
  const storage = new MemoryStorage();
  const window = { past: 30_000, future: 5_000 };
  const decided = new DecidedUnits(
    double<TimelineParts>({ clock: () => now, window, hash: sha256, storage }),
  );

  const decide = (count: number): ByteString => {
    const { body, signature } = entry("client", count, ["SET k v"], { decide: true });
    const head = {
      slot: count + 2,
      index: 0,
      count: 1,
      previous: { at: AT, seq: 0, id: idOf("p") },
      at: AT + count,
      seq: 0,
    };
    const bytes = writeDecision({ ...head, outcomes: ["applied"], unit: { body, signature } });
    decided.note([{ id: sha256(bytes), body: bytes, signature, envelope: readEntryBody(bytes) }]);
    return sha256(signedBytes(body));
  };

  const first = decide(0);
  now += 3_600_000;
  for (let count = 1; count < 10_000; count++) decide(count);
  assert.notEqual(decided.find(first), null);

  decide(10_000);
  assert.equal(decided.find(first), null);
});

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
  const head = {
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: AT + 50,
    seq: 0,
    outcomes: ["applied"],
  } as const;
  const bytes = writeDecision({ ...head, unit: { body, signature } });
  const decision: Entry = { id: idOf("d"), body: bytes, signature, envelope: readEntryBody(bytes) };
  assert.deepEqual(decided.note([entry("plain", 1, ["SET k w"]), decision]), [{ id: unit }]);
  assert.deepEqual(decided.find(unit), { at: AT + 50, seq: 0, id: decision.id });
  assert.deepEqual(decided.note([entry("plain", 1, ["SET k w"])]), []);
});
