/** Tests the rate limiter of examples/recipes, and the maximum by which it can exceed its limit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RateLimit } from "../../../examples/recipes/rate-limit.js";
import { shareTrio } from "./cut-trio.js";

const trioOfFile = shareTrio();

const LIMIT = 6;
const ASKED = 15;
/** The length of a slot. It exceeds the duration of every test. */
const SLOT_MS = 1e12;
/** The timeout of calls, long enough for a busy machine. */
const PATIENCE_MS = 20_000;

/** Sends requests, and returns the number of those that were admitted. */
async function admitted(ask: () => Promise<boolean>, requests = ASKED): Promise<number> {
  let count = 0;
  for (let i = 0; i < requests; i++) if (await ask()) count++;
  return count;
}

test("the limiter admits exactly the permitted number of requests, even when a daemon is killed", async () => {
  await using cut = await trioOfFile();
  const limits = [0, 1].map(() => new RateLimit(cut.client(), LIMIT, SLOT_MS, PATIENCE_MS));
  let sent = 0;
  const ask = async () => {
    if (sent === LIMIT - 2) await cut.kill(1);
    return await (limits[sent++ % 2] as RateLimit).admit("ada");
  };
  assert.equal(await admitted(ask), LIMIT);
  assert.equal(await admitted(() => (limits[0] as RateLimit).admit("grace")), LIMIT);
});

test("while daemons are disconnected, the limiter admits at most 1.5 times the limit, and a simple INCR limiter three times", async () => {
  await using cut = await trioOfFile();
  cut.areApart = true;
  const pairs = await Promise.all(
    [
      [0, 1],
      [1, 2],
      [2, 0],
    ].map((reached) => cut.reaching(reached)),
  );
  const counts = await Promise.all(
    pairs.map((client) => {
      const limit = new RateLimit(client, LIMIT, SLOT_MS, PATIENCE_MS);
      return admitted(() => limit.admit("ada"));
    }),
  );
  const sum = counts.reduce((all, count) => all + count);
  assert.ok(sum > 0 && sum <= 1.5 * LIMIT, `${sum} requests were admitted`);

  const alone = await Promise.all([[0], [1], [2]].map((reached) => cut.reaching(reached)));
  const naive = async (client: (typeof alone)[number]) => Number(await client.call("INCR naive")) <= LIMIT;
  const naively = await Promise.all(alone.map((client) => admitted(() => naive(client))));
  assert.deepEqual(naively, [LIMIT, LIMIT, LIMIT]);
  const lonely = await Promise.all(
    alone.map((client) => new RateLimit(client, LIMIT, SLOT_MS, PATIENCE_MS).admit("grace")),
  );
  assert.deepEqual(lonely, [false, false, false], "one daemon is not a majority");
});
