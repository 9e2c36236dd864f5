/** Tests transactions through a sidecar while one daemon is out of date and replies first. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { createClient } from "../../../client/dbsync-send.js";
import { CALL_MS, type PlainScene, startPlain } from "./scene.js";

/** The indices of the two daemons with the newer value. The third daemon has an older value. */
const CURRENT = [0, 1];

describe("three daemons, of which one is out of date", () => {
  let scene: PlainScene;
  const clients: Redis[] = [];

  /** Starts a sidecar with a short timeout, because some daemons never reply, and connects a Redis client to it. */
  async function open(...args: readonly string[]): Promise<Redis> {
    const { port } = await scene.sidecar("--backend-timeout", "700ms", ...args);
    const redis = new Redis({ port });
    clients.push(redis);
    return redis;
  }

  const signal = (which: readonly number[], name: "SIGSTOP" | "SIGCONT") => {
    for (const number of which) scene.daemons[number]?.kill(name);
  };

  /** Writes different values, by different writers: the new one to two daemons, the old one to the third. */
  async function writeUnequal(key: string): Promise<void> {
    await using old = scene.only(2);
    await old.call(["SET", key, "old"]);
    const servers = scene.servers.split(",").slice(0, 2);
    await using current = createClient({ servers, key: scene.key, timeout: CALL_MS, policy: "all" });
    await current.call(["SET", key, "new"]);
  }

  before(async () => {
    scene = await startPlain();
  });
  after(async () => {
    for (const client of clients) client.disconnect();
    signal(CURRENT, "SIGCONT");
    await scene[Symbol.asyncDispose]();
  });

  test("one daemon's answer does not decide whether a transaction was applied, unless --policy first is set", async () => {
    await writeUnequal("a");
    const redis = await open();
    for (const policy of [[], ["--policy", "first"]]) {
      const other = policy.length === 0 ? redis : await open(...policy);
      await other.watch("a");
      signal(CURRENT, "SIGSTOP");
      const transaction = other.multi().set("a", "newest").exec();
      // Only the daemon that is out of date is running. With --policy first, the client receives its answer.
      if (policy.length === 0) await assert.rejects(transaction, /^ReplyError: MAYBEAPPLIED/);
      else await transaction;
      signal(CURRENT, "SIGCONT");
    }
  });

  test("a transaction that a majority applied is acknowledged, although another daemon returns nil first", async () => {
    await writeUnequal("b");
    const redis = await open();
    await redis.watch("b");
    assert.equal(await redis.get("b"), "new");
    assert.deepEqual(await redis.multi().set("b", "newest").exec(), [[null, "OK"]]);
    await using old = scene.only(2);
    assert.equal(await old.call(["GET", "b"]), "old");
  });

  test("reads after WATCH return the majority's state, as the watched writers do", async () => {
    await writeUnequal("c");
    const redis = await open();
    await redis.watch("c");
    signal(CURRENT, "SIGSTOP");
    await assert.rejects(redis.get("c"), /^ReplyError: NOTAPPLIED/);
    await redis.unwatch();
    assert.equal(await redis.get("c"), "old", "one answer is enough for a separate read");
    signal(CURRENT, "SIGCONT");
  });

  test("if the daemons report different writers, the error of WATCH shows them in hexadecimal", async () => {
    await writeUnequal("d");
    const redis = await open();
    signal([0], "SIGSTOP");
    await assert.rejects(redis.watch("d"), ({ message }: Error) => {
      assert.match(message, /^NOTAPPLIED .*answered "0x[0-9a-f]{70,}/);
      assert.match(message, /^[\x20-\x7e…]+$/);
      return true;
    });
    signal([0], "SIGCONT");
  });
});
