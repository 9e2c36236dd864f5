/** Tests that the check of answers about decided keys finds what it is for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import { integer } from "../../protocol/reply.js";
import { unitId } from "../../protocol/version-2/unit-names.js";
import { SeededRandom } from "../support/seeded-random.js";
import { makeKey, randomBytes } from "./cast.js";
import { Ledger } from "./ledger.js";
import type { NaiveState } from "./naive-fold.js";
import { wrongOnDecidedKeys } from "./patterns.js";
import { sign } from "./signatures.js";
import type { World } from "./world.js";

const random = new SeededRandom(1);
const key = makeKey(random);
const settings = { patterns: 1 } as World["settings"];

const entryAt = (at: number): Entry =>
  sign(key, { cluster: randomBytes(random, 32), nonce: randomBytes(random, 16), at, seq: 0 }, [
    ["INCR", "decided:a:n0"],
  ]);

/** A run in which the members have placed a client's envelope, and a daemon has answered it with 1. */
function run() {
  const [envelope, decision, other] = [entryAt(1_000), entryAt(2_000), entryAt(1_500)];
  const ledger = new Ledger();
  for (const entry of [envelope, decision, other])
    ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
  ledger.decisions.on = (id) => (id === envelope.id ? [decision] : []);
  ledger.decisions.answeredPlaced(envelope.id, [integer(1)], "d0");
  return { ledger, envelope, decision, other };
}

/** Returns the problems of a run whose final state has some entries, whose units are all answered in the same way. */
function problems(
  { ledger }: { readonly ledger: Ledger },
  entries: readonly Entry[],
  reply = 1,
  isLost = false,
) {
  const unit = { isVoid: false, isUndecided: false, isOnDecidedKeys: true, reply: integer(reply) };
  const units = new Map(entries.map(({ id }) => [unitId(id, 0), unit])) as unknown as NaiveState["units"];
  const ids = new Set(entries.map(({ id }) => id));
  return wrongOnDecidedKeys({ ledger, settings }, entries, { units }, { ids, isLost: () => isLost });
}

test("the decision on an answered envelope is in the final state, with the answer, unless faults destroyed it", () => {
  const kept = run();
  assert.deepEqual(problems(kept, [kept.decision, kept.other]), []);
  assert.match(problems(kept, [kept.decision, kept.other], 2).join(), /answered unit 0 .* instead of/);
  assert.match(problems(kept, [kept.other]).join(), /no decision on it/);

  assert.deepEqual(problems(kept, [kept.other], 1, true), []);
  assert.deepEqual(
    problems(kept, [kept.decision], 2, true),
    [],
    "an earlier entry was lost after the answer",
  );
});

test("an envelope that is decided is no entry, too, although no client was answered", () => {
  const twice = run();
  twice.ledger.decisions.placed.clear();
  assert.match(problems(twice, [twice.envelope, twice.decision, twice.other]).join(), /takes effect twice/);
});
