/**
 * Tests that of the units with conditions at a daemon without members, those that arrive first decide, whatever their
 * dates: a later one does not undo an answered one. Source: docs/consistency.md "What the answer to a condition means".
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { NIL, NIL_ARRAY, type Reply, ZERO } from "../../../protocol/reply.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import { signedBytes } from "../../../protocol/version-2/envelope.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { HeldStorage } from "./support/held-storage.js";
import { entryOf } from "./support/random-timeline.js";
import { bulk, entryAt, hash, START, TimelineSubject } from "./support/timeline-subject.js";

const AHEAD_MS = 4000;
let entries = 0;

/** Returns a unit of commands whose keys must be absent, or have a writer. */
function unitAt(at: number, commands: readonly string[], given: Readonly<Record<string, ByteString>>): Entry {
  const conditions = Object.entries(given).map(([key, writer]) => ({ db: 0, key, writer }));
  const multi = commands.length > 1;
  const fields: Partial<Envelope> = { multi, if: conditions, nonce: String(entries++).padStart(16, "0") };
  const entry = entryOf({ ...fields, at, commands: commands.map((one) => one.split(" ")) }, "");
  return { ...entry, id: hash(signedBytes(entry.body)) };
}

const openAlone = (storage?: HeldStorage): Promise<TimelineSubject> =>
  new TimelineSubject({ isAlone: true, ...(storage && { storage }) }).open();

/** Returns what a recorder answers: the reply that is not recorded, that of the fold, or why it is refused. */
function answerTo({ timeline }: TimelineSubject, entry: Entry): Reply | string {
  const unmet = timeline.unmetAlone(entry);
  if (unmet !== null) return unmet.reply;
  const outcome = timeline.accept(entry);
  if (outcome.kind !== "accepted") return outcome.kind;
  const [answer] = outcome.answers;
  assert.ok(answer !== undefined && !answer.late);
  return answer.reply;
}

/** Pairs of units of which only one may be applied, the first to arrive first, with the reply to the second one. */
const EXCLUSIVE: Readonly<Record<string, readonly [(at: number) => Entry, (at: number) => Entry, Reply]>> = {
  "SET NX": [(at) => entryAt(at, "SET k a NX"), (at) => entryAt(at, "SET k b NX PX 9000"), NIL],
  SETNX: [(at) => entryAt(at, "SETNX k a"), (at) => entryAt(at, "setnx k b"), ZERO],
  HSETNX: [(at) => entryAt(at, "HSETNX k f a"), (at) => entryAt(at, "HSETNX k f b"), ZERO],
  "several keys": [(at) => entryAt(at, "MSETNX j a k a"), (at) => entryAt(at, "MSETNX k b l b"), ZERO],
  "if, one key": [
    (at) => unitAt(at, ["SET k a"], { k: "" }),
    (at) => unitAt(at, ["SET k b", "SET l b"], { k: "" }),
    NIL_ARRAY,
  ],
  "if, of which each writes the key of the other one": [
    (at) => unitAt(at, ["SET k a"], { l: "" }),
    (at) => unitAt(at, ["SET l b"], { k: "" }),
    NIL_ARRAY,
  ],
};

for (const [name, [first, second, unmet]] of Object.entries(EXCLUSIVE))
  for (const ahead of [0, 1, AHEAD_MS])
    test(`the first unit to arrive is applied, dated ${ahead} ms after the second one: ${name}`, async () => {
      const subject = await openAlone();
      const applied = first(START + ahead);
      assert.notEqual(answerTo(subject, applied), "overtaken");
      const before = subject.counts;
      assert.deepEqual(answerTo(subject, second(START)), unmet);
      assert.deepEqual(subject.counts, before, "the second unit is recorded");
      // The order still ends with the first unit.
      const again = await subject.restarted().open();
      for (const key of ["j", "k", "l"]) assert.deepEqual(again.get(key), subject.get(key), key);
    });

test("a unit whose condition holds is refused before later units on its keys, and accepted after them", async () => {
  const subject = await openAlone();
  subject.write("SET k plain", START + AHEAD_MS - 1);
  subject.write("DEL k", START + AHEAD_MS);
  assert.equal(answerTo(subject, entryAt(START, "SET k a NX")), "overtaken");
  assert.equal(answerTo(subject, unitAt(START, ["SET other a"], { k: "" })), "overtaken");
  assert.notEqual(answerTo(subject, entryAt(START, "SET other a NX")), "overtaken");
  assert.notEqual(answerTo(subject, entryAt(START + AHEAD_MS + 1, "SET k a NX")), "overtaken");
  assert.deepEqual(subject.get("k"), bulk("a"));
});

test("a unit is refused that would undo a unit which has only read its key", async () => {
  const subject = await openAlone();
  assert.notEqual(answerTo(subject, unitAt(START + 1, ["SET k a"], { l: "" })), "overtaken");
  assert.equal(answerTo(subject, unitAt(START, ["SET l b"], { m: "" })), "overtaken");
  assert.deepEqual(subject.get("k"), bulk("a"));
});

test("a unit whose condition does not hold is not recorded, so that no late write lets it take effect", async () => {
  const subject = await openAlone();
  subject.write("SET lock first", START);
  assert.deepEqual(answerTo(subject, entryAt(START + 10, "SET lock second NX")), NIL);
  subject.write("DEL lock", START + 5);
  assert.deepEqual(subject.get("lock"), NIL);
});

test("a writer is compared with that after all accepted units", async () => {
  const subject = await openAlone();
  const first = subject.write("SET k 1", START);
  const next = unitAt(START + AHEAD_MS, ["SET k 2"], { k: unitId(first.id, 0) });
  assert.notDeepEqual(answerTo(subject, next), NIL_ARRAY);
  const same = unitAt(START + 1, ["SET k 3"], { k: unitId(first.id, 0) });
  assert.deepEqual(answerTo(subject, same), NIL_ARRAY);
  assert.deepEqual(subject.get("k"), bulk("2"));
});

test("a key that has expired by the newest entry is absent", async () => {
  const subject = await openAlone();
  subject.write("SET k v PX 1000", START);
  subject.write("SET other v", START + 2000);
  assert.equal(answerTo(subject, entryAt(START + 500, "SET k a XX")), NIL);
});

test("errors are recorded, and plain writes and members' daemons accept every date", async () => {
  const subject = await openAlone();
  subject.write("SET k v", START + 1);
  assert.equal((answerTo(subject, entryAt(START + 2, "SET k a NX SOON")) as Reply).kind, "error");
  assert.equal(subject.timeline.unmetAlone(entryAt(START, "SET k b")), null);
  subject.write("SET k b", START);
  assert.equal(subject.counts.kept, 3);
  const member = await new TimelineSubject().open();
  member.write("SET k a NX", START + 1);
  assert.equal(member.timeline.unmetAlone(entryAt(START, "SET k b NX")), null);
  member.write("SET k b NX", START);
  assert.deepEqual(member.get("k"), bulk("b"));
});

test("a unit that is too old is not answered, because it may itself be why its condition does not hold", async () => {
  const subject = await openAlone();
  const unit = entryAt(START, "SET k a NX");
  answerTo(subject, unit);
  await subject.pass(60_000);
  assert.ok(subject.timeline.watermark > START);
  assert.equal(subject.timeline.unmetAlone(unit), null);
  assert.equal(answerTo(subject, entryAt(START, "SET k b NX")), "too-old");
});

test("a unit is compared with units that are not on the disk yet", async () => {
  const storage = new HeldStorage();
  const subject = await openAlone(storage);
  storage.hold();
  const first = subject.timeline.accept(entryAt(START + 2, "SET k a NX"));
  assert.ok(first.kind === "accepted" && first.flushed !== null);
  assert.equal(answerTo(subject, entryAt(START, "SET k b NX")), NIL);
  assert.equal(answerTo(subject, unitAt(START, ["SET k b"], { l: "" })), "overtaken");
  assert.equal(storage.pending, 1);
  assert.notEqual(subject.timeline.flushing, null, "the reply does not wait for the disk");
  storage.release();
  await first.flushed;
  assert.deepEqual(subject.get("k"), bulk("a"));
});

const ROUNDS = amount(40, 400);
const UNITS = 60;

test("the answers to random units with conditions are those of their final order", async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`seed ${seed}`);
  for (let round = 0; round < ROUNDS; round++) {
    const random = new SeededRandom(seed, round);
    const subject = await openAlone();
    const answered = new Map<ByteString, Reply>();
    const accepted: Entry[] = [];
    const key = () => `k${random.below(4)}`;
    for (let i = 0; i < UNITS; i++) {
      const at = START + random.below(20);
      const writer = random.oneOf(["", ...accepted.map(({ id }) => unitId(id, 0))]);
      const entry = random.oneOf([
        () => entryAt(at, `SET ${key()} v${i} ${random.oneOf(["NX", "XX"])}`),
        () => entryAt(at, `MSETNX ${key()} v${i} ${key()} v${i}`),
        () => unitAt(at, [`SET ${key()} v${i}`, `DEL ${key()}`], { [key()]: writer }),
        () => unitAt(at, [`SET ${key()} v${i}`], { [key()]: "" }),
      ])();
      const answer = answerTo(subject, entry);
      if (typeof answer === "string") assert.equal(answer, "overtaken");
      if (typeof answer === "string" || subject.timeline.holds({ at, seq: 0, id: entry.id }) === false)
        continue;
      accepted.push(entry);
      answered.set(entry.id, answer);
    }
    const other = await new TimelineSubject().open();
    const sorted = accepted.toSorted((a, b) => a.envelope.at - b.envelope.at || (a.id < b.id ? -1 : 1));
    for (const entry of sorted) {
      const outcome = other.timeline.accept(entry);
      assert.ok(outcome.kind === "accepted");
      assert.deepEqual(outcome.answers[0]?.reply, answered.get(entry.id), `round ${round}`);
    }
  }
});
