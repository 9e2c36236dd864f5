/**
 * Tests claims of decided keys: no client receives a job that another client has received, and no job is lost, while
 * daemons are killed, suspended and disconnected. See claims.test.ts for keys that are not decided. Source:
 * docs/decisions/0081.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../scenario.js";
import { ClaimRounds, described, failuresOf, PERFECT, roundsOf } from "./claim-rounds.js";
import { documents } from "./document-queue.js";
import { items } from "./item-queue.js";
import { drawn, keys } from "./key-queues.js";
import { moved, popped } from "./list-queues.js";
import { queuePlay } from "./queue-play.js";
import { sorted } from "./sorted-set-queue.js";
import { streamed } from "./stream-queue.js";

const QUEUES = [popped, moved, sorted, drawn, keys, streamed, documents, items];

let rounds: ClaimRounds;

before(async () => {
  rounds = await ClaimRounds.start({ hasDocuments: true, hasMemcached: true, isDecided: true });
});

after(() => rounds?.[Symbol.asyncDispose]());

for (const [path, queue] of QUEUES.entries())
  test(`workers at three daemons share decided jobs with ${queue.name} (seed ${seed})`, async (t) => {
    const figures = await rounds.run(queuePlay(queue), path, roundsOf(60));
    t.diagnostic(described(queue.name, figures));
    assert.ok(figures.received > 0);
    const { doubles } = figures;
    assert.deepEqual({ ...failuresOf(figures), doubles }, { ...PERFECT, doubles: 0 });
  });
