/**
 * Tests claims of decided keys by clients of three daemons: no client receives a job that another client has received,
 * and no job is lost, while daemons are killed, suspended and disconnected. Source: docs/decisions/0081.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { amount } from "../../support/amount.js";
import { seed } from "../scenario.js";
import { ClaimRounds, DECIDED, decidedFailuresOf, described, roundsOf } from "./claim-rounds.js";
import { documents } from "./document-queue.js";
import { items } from "./item-queue.js";
import { drawn, keys } from "./key-queues.js";
import { moved, popped } from "./list-queues.js";
import { queuePlay } from "./queue-play.js";
import { sorted } from "./sorted-set-queue.js";
import { streamed } from "./stream-queue.js";

const QUEUES = [popped, moved, sorted, drawn, keys, streamed, documents, items];
/** The jobs of a round, for each of which clients claim 2.5 times. */
const JOBS = amount(4, 8);
const ROUNDS = 120;

let rounds: ClaimRounds;

before(async () => {
  rounds = await ClaimRounds.start({ hasDocuments: true, hasMemcached: true, decided: ["*"] });
});

after(() => rounds?.[Symbol.asyncDispose]());

for (const [path, queue] of QUEUES.entries())
  test(`workers at three daemons share decided jobs with ${queue.name} (seed ${seed})`, async (t) => {
    const figures = await rounds.run(queuePlay(queue, { jobs: JOBS }), path, roundsOf(ROUNDS));
    t.diagnostic(described(queue.name, figures));
    assert.deepEqual(decidedFailuresOf(figures), DECIDED);
  });
