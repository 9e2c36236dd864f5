/** Replays the recorded conversations through a cache, and checks its answers and the reads that reach the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ReplayedStep, replay } from "../../../../faces/sql/test/replay.js";
import { type SqlScene, startSql } from "../../../../faces/sql/test/scene.js";
import { CACHE_DIFFERENCES } from "./differences.js";
import { type CacheScene, startCache } from "./scene.js";

const different = new Set(
  CACHE_DIFFERENCES.flatMap(({ steps }) =>
    Object.entries(steps).flatMap(([name, numbers]) => numbers.map((number) => `${name} ${number}`)),
  ),
);

interface Chain extends AsyncDisposable {
  readonly server: SqlScene;
  readonly cache: CacheScene;
  /** A cache for three entries. */
  readonly small: CacheScene;
}

async function startChain(): Promise<Chain> {
  const server = await startSql();
  const cache = await startCache(server.port);
  const small = await startCache(server.port, { cache: { maxEntries: 3, life: 60_000 } });
  return {
    server,
    cache,
    small,
    async [Symbol.asyncDispose]() {
      for (const part of [cache, small, server]) await part[Symbol.asyncDispose]();
    },
  };
}

test("recorded conversations, including the cache's own, yield the recorded answers and requests to the server", async () => {
  let chain = await startChain();
  let hits = 0;
  const unlike: string[] = [];
  const cacheOf = ({ at }: ReplayedStep) => (at === "cache_small" ? chain.small : chain.cache);

  try {
    const compared = await replay({
      // Steps for the balancer bypass the cache: they connect to the same server directly.
      port: (step) => (step.target === "lb" ? chain.server.port : cacheOf(step).port),
      async empty() {
        await chain[Symbol.asyncDispose]();
        chain = await startChain();
      },
      before(step) {
        cacheOf(step).pass(step.wait_ms ?? 0);
        ({ hits } = cacheOf(step).figures);
      },
      after(step) {
        const { scenario, number, forwarded, send } = step;
        const isForwarded = cacheOf(step).figures.hits === hits;
        if (forwarded === undefined || scenario.startsWith("lb-") || forwarded === isForwarded) return;
        unlike.push(`${scenario} ${number}`);
        assert.ok(different.has(`${scenario} ${number}`), `${scenario} ${number}: ${send}: ${isForwarded}`);
      },
    });

    assert.ok(compared > 400, String(compared));
    assert.deepEqual(new Set(unlike), different, "each listed difference occurs");
  } finally {
    await chain[Symbol.asyncDispose]();
  }
});
