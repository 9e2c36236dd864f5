/**
 * Tests the promise for claims: what a client received is no longer in the queue, and what no client received is
 * still there. Two daemons that cannot reach each other may hand out the same job, so jobs may be received twice.
 * DBSYNC_SCENARIO_RUNS chooses the number of rounds, and DBSYNC_SEED other random pauses.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../scenario.js";
import { ClaimRounds, described, failuresOf, PERFECT, roundsOf } from "./claim-rounds.js";
import { drawn, keys } from "./key-queues.js";
import { moved, popped, scripted } from "./list-queues.js";
import { queuePlay } from "./queue-play.js";
import { sorted } from "./sorted-set-queue.js";
import { streamed } from "./stream-queue.js";

const QUEUES = [popped, moved, scripted, sorted, drawn, keys, streamed];

let rounds: ClaimRounds;

before(async () => {
  rounds = await ClaimRounds.start();
});

after(() => rounds[Symbol.asyncDispose]());

for (const [path, queue] of QUEUES.entries())
  test(`workers at three daemons lose no job with ${queue.name} (seed ${seed})`, async (t) => {
    const figures = await rounds.run(queuePlay(queue), path, roundsOf(100));
    t.diagnostic(described(queue.name, figures));
    assert.deepEqual(failuresOf(figures), PERFECT);
  });
