/**
 * Repeats runs in which clients take elements from queues at several daemons, and tests which missing elements the
 * simulation reports.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { SeededRandom } from "../support/seeded-random.js";
import { makeKey, randomBytes, ringOf } from "./cast.js";
import { wrongClaims } from "./claims.js";
import { Ledger } from "./ledger.js";
import { naiveFold } from "./naive-fold.js";
import { sign } from "./signatures.js";
import { simulate } from "./simulate.js";

const SEEDS = [313, 169, 211, 321, 122, 298, 283].slice(0, amount(1, 7));

for (const seed of SEEDS)
  test(`an element that a client received is gone, and one that no daemon took is there (seed ${seed})`, async () => {
    const { problems, settings } = await simulate(seed);
    assert.ok(settings.claims > 0);
    assert.deepEqual(problems, []);
  });

const random = new SeededRandom(1);
const [permitted, denied] = [makeKey(random), makeKey(random)];
const genesis = { cluster: randomBytes(random, 32), applications: [permitted], roots: [] };
const putBy = { permitted, denied };

/** Returns what the check reports if a client put an element and another command then removed the queue. */
function problemsOf(by: keyof typeof putBy, isByzantine: boolean): string[] {
  const ledger = new Ledger();
  if (isByzantine) ledger.putAtByzantine.add("element-1");
  const entries = [
    { signer: putBy[by], command: ["LPUSH", "q:queue", "element-1"] },
    { signer: permitted, command: ["DEL", "q:queue"] },
  ].map(({ signer, command }, seq) => {
    const nonce = randomBytes(random, 16);
    return sign(signer, { cluster: genesis.cluster, nonce, db: 0, at: 1_000, seq }, [command]);
  });
  return wrongClaims({ ledger, settings: { claims: 1 } }, entries, naiveFold(entries, ringOf(genesis), 1));
}

test("an element is missing, unless only a byzantine daemon permitted its put", () => {
  assert.deepEqual(problemsOf("denied", true), []);
  for (const problems of [problemsOf("denied", false), problemsOf("permitted", true)])
    assert.deepEqual(problems, ["no daemon took element-1, but it is gone"]);
});
