/**
 * Tests the cursors of a Redis backend. They are valid on the daemon that issued them, alone and in a transaction, and
 * an error on every other daemon.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pino } from "pino";
import type { Outcome } from "../../../daemon/engine/backends/backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseSpecifications, type RedisSpecification } from "../../../daemon/options/database-list.js";
import { array, bulk } from "../../../protocol/reply.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { RedisBackend, sendScan } from "../redis-backend.js";

const MEMBERS = 2_000;
const OTHER = /^ERR invalid cursor: another daemon issued it/;

function pageOf(outcome: Outcome | undefined): [string, string[]] {
  assert.ok(outcome?.kind === "array", JSON.stringify(outcome));
  const [next, found] = outcome.items;
  assert.ok(next?.kind === "bulk" && found?.kind === "array");
  return [next.bytes, found.items.map((item) => (item.kind === "bulk" ? item.bytes : ""))];
}

describe("with a Redis", () => {
  test("a scan continues with marked cursors, and another daemon's cursors are refused", async () => {
    await using redis = await startRedis();
    const backend = new RedisBackend({
      specification: parseSpecifications(`redis:127.0.0.1:${redis.port}`)[0] as RedisSpecification,
      timeout: 5_000,
      environment: realEnvironment,
      log: pino({ level: "silent" }),
    });
    await backend.start();

    const members = Array.from({ length: MEMBERS }, (_, number) => `member:${number}`);
    await backend.execute(["SADD", "s", ...members]);
    await backend.execute(["MSET", ...members.flatMap((name) => [name, "1"])]);

    for (const [scan, expected] of [
      [["SSCAN", "s"], members],
      [["scan"], [...members, "s"]],
    ] as const) {
      const found = new Set<string>();
      let [cursor, pages] = ["0", 0];
      do {
        const argv = [...scan, cursor, "COUNT", "300"];
        const isTogether = ++pages % 2 === 0;
        const outcome = isTogether
          ? await backend.executeTogether([["GET", "none"], argv])
          : await backend.execute(argv);
        const page = isTogether && outcome.kind === "array" ? outcome.items[1] : outcome;
        const [next, names] = pageOf(page);
        for (const name of names) found.add(name);
        cursor = next;
        assert.ok(Number.isSafeInteger(Number(cursor)), cursor);
        if (cursor === "0") continue;

        const other = String(BigInt(cursor) ^ (1n << 40n));
        for (const refused of [
          await backend.execute([...scan, other]),
          await backend.execute([...scan, "5"]),
          await backend.execute([...scan, `+${other}`]),
          await backend.executeTogether([
            ["SET", "none", "1"],
            [...scan, other],
          ]),
        ])
          assert.match(refused.kind === "error" ? refused.text : refused.kind, OTHER);
      } while (cursor !== "0");
      assert.ok(pages > 3, `${pages} pages`);
      assert.deepEqual([...found].sort(), [...expected].sort());
    }

    assert.deepEqual(await backend.execute(["EXISTS", "none"]), { kind: "integer", value: 0 });
    const nonsense = await backend.execute(["SCAN", "nonsense"]);
    assert.ok(nonsense.kind === "error" && /invalid cursor/.test(nonsense.text));
    await backend.stop();
  });

  test("cursors that are too large for a mark are forwarded unchanged, or refused if they could be marked ones", async () => {
    const scan = (next: string, cursor: string) =>
      sendScan(["SCAN", cursor], (own) => array([bulk(next), array([bulk(String(own[1]))])]));
    const huge = String(2n ** 60n + 7n);
    assert.deepEqual(pageOf(await scan(huge, "0")), [huge, ["0"]]);
    assert.deepEqual(pageOf(await scan("0", huge)), ["0", [huge]]);
    assert.equal((await scan(String(2n ** 40n), "0")).kind, "error");
  });
});
