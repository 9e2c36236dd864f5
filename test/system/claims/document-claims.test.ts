/** Tests the promise of claims.test.ts for the documents of MongoDB clients. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seed } from "../scenario.js";
import { ClaimRounds, described, failuresOf, PERFECT, roundsOf } from "./claim-rounds.js";
import { documents } from "./document-queue.js";
import { queuePlay } from "./queue-play.js";

test(`workers at three daemons lose no document with ${documents.name} (seed ${seed})`, async (t) => {
  await using rounds = await ClaimRounds.start({ hasDocuments: true });
  const figures = await rounds.run(queuePlay(documents), 0, roundsOf(100));
  t.diagnostic(described(documents.name, figures));
  assert.deepEqual(failuresOf(figures), PERFECT);
});
