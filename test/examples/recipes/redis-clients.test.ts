/** Tests the recipes for Redis clients in docs/recipes.md, with one daemon with a timeline. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { integer, NIL, OK, type Reply, ZERO } from "../../../protocol/reply.js";
import { makeFolder, startReplica } from "../../daemon/program/replicas.js";
import { skipUnlessFull } from "../../support/amount.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { RedisConnection } from "../../support/redis-connection.js";
import { SMALL_WINDOW } from "./cut-trio.js";

const NIL_ARRAY: Reply = { kind: "nil-array" };
const bulk = (bytes: string): Reply => ({ kind: "bulk", bytes });

async function withTwo(
  run: (mine: RedisConnection, other: RedisConnection) => Promise<void>,
  args: readonly string[] = [],
): Promise<void> {
  using folder = makeFolder();
  await using replica = await startReplica({
    args: ["-s", makeKeyPair().file, "--data", folder.path, "--resp", "0", ...args],
  });
  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  using mine = await RedisConnection.open(port);
  using other = await RedisConnection.open(port);
  await run(mine, other);
}

test("a lock by SET NX PX on one daemon has one owner, and is released only with its token", () =>
  withTwo(async (mine, other) => {
    const free =
      "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";
    const take = (token: string) => ["SET", "lock", token, "NX", "PX", "600000"] as const;
    const replies = await Promise.all([mine.call(...take("mine")), other.call(...take("other"))]);
    const isMine = replies[0]?.kind === "status";
    assert.deepEqual(isMine ? replies : replies.toReversed(), [OK, NIL]);
    const [holder, waiting] = isMine ? ["mine", "other"] : ["other", "mine"];
    assert.deepEqual(await other.call("EVAL", free, "1", "lock", waiting as string), ZERO);
    assert.deepEqual(await mine.call("EVAL", free, "1", "lock", holder as string), integer(1));
    assert.deepEqual(await other.call(...take("other")), OK);
  }));

test("a limiter by INCR and PEXPIRE in MULTI counts each request once, and expires", () =>
  withTwo(async (mine, other) => {
    const count = async (client: RedisConnection) => {
      await client.call("MULTI");
      await client.call("INCR", "slot");
      await client.call("PEXPIRE", "slot", "600000");
      const replies = await client.call("EXEC");
      return replies.kind === "array" ? replies.items[0] : replies;
    };
    const replies = [await count(mine), await count(other), await count(mine)];
    assert.deepEqual(replies, [integer(1), integer(2), integer(3)]);
    const remaining = await mine.call("PTTL", "slot");
    assert.ok(remaining.kind === "integer" && Number(remaining.value) > 0);
  }));

test("a cache does not keep a value that was computed from changed data", () =>
  withTwo(async (mine, other) => {
    const fill = async (value: string, meanwhile: () => Promise<unknown>) => {
      await mine.call("WATCH", "changed:page");
      await meanwhile();
      await mine.call("MULTI");
      await mine.call("SET", "cache:page", value, "PX", "600000");
      return mine.call("EXEC");
    };
    const changed = () => other.call("SET", "changed:page", "another", "PX", "600000");
    assert.deepEqual(await fill("old", changed), NIL_ARRAY);
    assert.deepEqual(await mine.call("GET", "cache:page"), NIL);
    assert.deepEqual(await fill("new", async () => {}), { kind: "array", items: [OK] });
    assert.deepEqual(await other.call("GET", "cache:page"), bulk("new"));
  }));

test("LPOS returns a number without gaps once the RPUSH is final", { skip: skipUnlessFull }, () =>
  withTwo(async (mine, other) => {
    const numbered = async (client: RedisConnection, id: string) => {
      await client.call("DBSYNC", "REPLY", "stable");
      await client.call("RPUSH", "invoices", id);
      return client.call("LPOS", "invoices", id);
    };
    const places = await Promise.all([numbered(mine, "a"), numbered(other, "b")]);
    assert.deepEqual(
      places.map((reply) => (reply.kind === "integer" ? Number(reply.value) : reply)).toSorted(),
      [0, 1],
    );
  }, SMALL_WINDOW),
);
