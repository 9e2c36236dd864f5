/**
 * Tests that the ids reported for XADD * are final, in any order of arrival. DBSYNC_SEED replays a run.
 * Source: docs/consistency.md "What can surprise you".
 */
import "../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import { compareEntries } from "../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { shown } from "../../conformance/resp2-fold.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { AT, entry, Subject } from "./support/fold-subject.js";
import { entryOf } from "./support/random-timeline.js";

const RUNS = amount(15, 40);
const ENTRIES = 40;
/** The number of dates. It is small, so that many entries share a date. */
const DATES = 5;
const KEYS = ["a", "b"];

const seed = seedOfRun();

type Argv = readonly ByteString[];

/** Returns mostly XADD *. The remaining commands move, trim and drop streams without assigning ids. */
function randomCommand(random: SeededRandom): Argv {
  const [key, other] = [random.oneOf(KEYS), random.oneOf(KEYS)];
  const kind = random.below(20);
  if (kind < 14) return ["XADD", key, "*", "n", String(random.below(100))];
  if (kind < 16) return ["XADD", key, "MAXLEN", "5", "*", "n", "trimmed"];
  return random.oneOf<Argv>([
    ["DEL", key],
    ["RENAME", key, other],
    ["COPY", key, other, "REPLACE"],
    ["XTRIM", key, "MAXLEN", "2"],
  ]);
}

function randomEntry(random: SeededRandom): Entry {
  const id = Array.from({ length: 32 }, () => String.fromCharCode(random.below(256))).join("");
  const commands = Array.from({ length: random.oneOf([1, 1, 2, 5]) }, () => randomCommand(random));
  const at = AT + 1 + random.below(DATES);
  return entryOf({ at, seq: random.oneOf([0, 0, 0, 1, 0xffff]), multi: random.chance(0.3), commands }, id);
}

/** Returns the ids reported for an entry's XADD when it is merged. */
function reportedBy(subject: Subject, each: Entry): string[] {
  const replies = subject.merge(each).map(({ reply }) => reply);
  const { multi, commands } = each.envelope;
  const ofCommands = multi && replies[0]?.kind === "array" ? replies[0].items : replies;
  return commands.flatMap(([name], i) => (name === "XADD" ? [shown(ofCommands[i]!)] : []));
}

test(`XADD * reports permanent ids, in any order of arrival (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const entries = Array.from({ length: ENTRIES }, () => randomEntry(random));
    const inOrder = new Subject();
    const final = new Map(
      entries.toSorted(compareEntries).map((each) => [each.id, reportedBy(inOrder, each)]),
    );
    const shuffled = new Subject();
    for (const each of random.shuffled(entries)) {
      assert.deepEqual(reportedBy(shuffled, each), final.get(each.id), `seed ${seed}, run ${run}`);
    }
    assert.deepEqual(...shuffled.states);
    const all = [...final.values()].flat();
    assert.equal(new Set(all).size, all.length, `an id was reported twice: seed ${seed}, run ${run}`);
  }
});

test("ids ascend in the order of units: by date, number, envelope, and index in the envelope, in all streams", () => {
  const subject = new Subject();
  const [add, other] = ["XADD s * a 1", "XADD t * a 1"] as const;
  const last = subject.merge(
    entry("zz", 5, [add]),
    entry("a", 5, [add], { seq: 1 }),
    entry("b", 5, [add, other, add], { seq: 1 }),
    entry("c", 5, [other, add], { seq: 1, multi: true }),
    entry("a2", 6, [add]),
  );

  const ids = last.flatMap(({ reply }) => shown(reply).match(/\d+-\d+/g) ?? []);
  const asNumbers = ids.map((id) => id.split("-").map(BigInt) as [bigint, bigint]);
  const isRising = asNumbers.every(([ms, seq], i) => {
    const [before, beforeSeq] = asNumbers[i - 1] ?? [0n, 0n];
    return ms > before || (ms === before && seq > beforeSeq);
  });

  assert.equal(ids.length, 8);
  assert.ok(isRising, ids.join(" "));
  assert.deepEqual(...subject.states);
});

test("an id can still change if an entry with an id ahead of its date arrives late", () => {
  const subject = new Subject();
  const [reported] = subject.replies(entry("b", 5, ["XADD s * a 1"]));
  subject.merge(entry("a", 4, [`XADD s ${AT + 1000}-0 a 1`]));
  assert.match(reported!, new RegExp(`^"${AT + 5}-\\d+"$`));
  assert.equal(subject.ask("XRANGE s - +").includes(`"${AT + 1000}-1"`), true);
  assert.deepEqual(...subject.states);
});
