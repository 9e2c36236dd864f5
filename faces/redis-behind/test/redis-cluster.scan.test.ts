/** Tests SCAN on a Redis Cluster: the masters are scanned in turn, and a cursor is an error if its master is gone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../../test/support/all-families.js";
import { array, bulk, bulks, type Reply } from "../../../protocol/reply.js";
import { broadcastRuleOf, slotOf } from "../redis-cluster.js";
import type { RedisLink } from "../redis-link.js";

/** Returns a master whose cursors are indexes of its keys. */
function master(port: number, keys: readonly string[]): RedisLink {
  const send = async ([, cursor = "0", , count = "10"]: readonly string[]): Promise<Reply> => {
    const [from, to] = [Number(cursor), Number(cursor) + Number(count)];
    return array([bulk(to < keys.length ? String(to) : "0"), bulks(keys.slice(from, to))]);
  };
  return { address: { host: "127.0.0.1", port }, send } as unknown as RedisLink;
}

async function page(masters: readonly RedisLink[], cursor: string): Promise<[string, string[]] | string> {
  const argv = ["SCAN", cursor, "COUNT", "2"];
  const way = broadcastRuleOf(argv);
  assert.ok(way.kind === "all");
  const outcome = await way.run(masters, argv);
  if (outcome.kind === "error") return outcome.text;
  assert.ok(outcome.kind === "array");
  const [next, found] = outcome.items;
  assert.ok(next?.kind === "bulk" && found?.kind === "array");
  return [next.bytes, found.items.map((item) => (item.kind === "bulk" ? item.bytes : ""))];
}

const KEYS = [["a", "b", "c"], [], ["d"], ["e", "f"]];
const masters = KEYS.map((keys, index) => master(7000 + index, keys));

test("a scan returns the keys of all masters, even if a master joins or their order changes", async () => {
  const found: string[] = [];
  let cursor = "0";
  for (let pages = 0; pages === 0 || cursor !== "0"; pages++) {
    assert.ok(pages < 10, "it ends");
    const now = pages === 1 ? [master(6999, ["g"]), ...masters] : masters;
    const [next, keys] = (await page(now, cursor)) as [string, string[]];
    cursor = next;
    found.push(...keys);
  }
  assert.deepEqual(found.sort(), KEYS.flat());
});

test("a cursor is an error if its master is gone, or if no master issued it", async () => {
  const [first] = (await page(masters, "0")) as [string, string[]];
  const [remaining, removed] = [masters.slice(1), masters.slice(0, 1)];
  const replica = master(8000, KEYS[0] as string[]);
  for (const now of [remaining, [replica, ...remaining]])
    assert.match(String(await page(now, first)), /^ERR invalid cursor: the server/);
  assert.equal((await page([...remaining, ...removed], first)).length, 2);
  assert.match(String(await page(masters, "7")), /^ERR invalid cursor: the server/);
});

test("masters whose addresses have the same hash are distinguished", async () => {
  const byHash = new Map<number, number>();
  let pair: [number, number] | null = null;
  for (let port = 1024; pair === null; port++) {
    const other = byHash.get(slotOf(`127.0.0.1:${port}`));
    if (other === undefined) byHash.set(slotOf(`127.0.0.1:${port}`), port);
    else pair = [other, port];
  }

  const two = [master(pair[0], ["a", "b", "c"]), master(pair[1], ["d", "e", "f"])];
  const found: string[] = [];
  let cursor = "0";
  for (let pages = 0; pages === 0 || cursor !== "0"; pages++) {
    assert.ok(pages < 10, "it ends");
    const [next, keys] = (await page(two, cursor)) as [string, string[]];
    cursor = next;
    found.push(...keys);
  }

  assert.deepEqual(found, ["a", "b", "c", "d", "e", "f"]);
});

test("SCRIPT DEBUG is refused, because it would concern one connection of one master", () => {
  assert.equal(broadcastRuleOf(["SCRIPT", "DEBUG", "YES"]).kind, "refused");
  assert.equal(broadcastRuleOf(["SCRIPT", "HELP"]).kind, "any");
});
