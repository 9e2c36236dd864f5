/** Tests `dbsync import redis://… --replicate` from a real redis-server that clients write to during the import. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { programPaths } from "../../../support/programs.js";
import { RedisConnection, textOf } from "../../../support/redis-connection.js";
import { until } from "../../../support/until.js";
import { type ImportScene, startImportScene } from "./import-scene.js";

const FAR_MS = 4_102_444_800_000;
const NOTICES = "notify-keyspace-events";

let scene: ImportScene;
let { folder, redis, daemon, resp, source, target } = {} as ImportScene;

before(async () => {
  scene = await startImportScene();
  ({ folder, redis, daemon, resp, source, target } = scene);
});
after(() => scene?.[Symbol.asyncDispose]());
beforeEach(async () => {
  await source.call("FLUSHALL");
  await target.call("FLUSHALL");
});

class Replicating implements AsyncDisposable {
  readonly #child: ChildProcess;
  output = "";
  readonly ended: Promise<unknown>;

  constructor(port: number, ...more: string[]) {
    const args = ["import", `redis://127.0.0.1:${port}`, "-s", `${daemon.address}:${daemon.port}`];
    const key = ["-k", join(folder, "private.pem")];
    this.#child = spawn(process.execPath, [programPaths.dbsync, ...args, ...key, "--replicate", ...more]);
    this.ended = once(this.#child, "close");
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  get code(): number | null {
    return this.#child.exitCode;
  }

  /** Waits until the import has printed a text. Fails if the import ends first. */
  async prints(text: RegExp): Promise<void> {
    await until(`the import prints ${text}`, async () => text.test(this.output) || this.code !== null);
    if (this.code !== null) await this.ended;
    assert.match(this.output, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.ended;
  }
}

/** Returns the contents of all keys in a fixed order. */
async function contentsOf(port: number): Promise<string> {
  using connection = await RedisConnection.open(port);
  const keys = await connection.call("KEYS", "*");
  assert.ok(keys.kind === "array");
  const names = keys.items.map((item) => (item.kind === "bulk" ? item.bytes : "")).sort();
  for (const name of names) {
    connection.queue(["SORT", name, "ALPHA", "LIMIT", "0", "1000"]);
    connection.queue(["GET", name]);
    connection.queue(["HGET", name, "f"]);
    connection.queue(["PEXPIRETIME", name]);
  }
  const replies = await connection.flush();
  return names.map((name, i) => `${name} ${JSON.stringify(replies.slice(4 * i, 4 * i + 4))}`).join("\n");
}

/** Writes with all kinds of commands in turn. */
async function write(rounds: number, seed = 0): Promise<void> {
  for (let i = seed; i < seed + rounds; i++) {
    source.queue(["SET", `s:${i % 50}`, String(i)]);
    source.queue(["RPUSH", `l:${i % 7}`, String(i)]);
    source.queue(["SADD", `set:${i % 5}`, String(i)]);
    source.queue(["HSET", "h", "f", String(i)]);
    if (i % 3 === 0) source.queue(["PEXPIREAT", `s:${i % 50}`, String(FAR_MS + i)]);
    if (i % 4 === 0) source.queue(["DEL", `s:${(i + 9) % 50}`]);
    if (i % 11 === 0) source.queue(["RENAME", "h", `h:${i % 20}`]);
    if (i % 20 === 19) await source.flush();
  }
  await source.flush();
}

describe("dbsync import --replicate", () => {
  test("follows all kinds of writes until it is interrupted, and restores the setting that it has changed", async () => {
    await source.call("CONFIG", "SET", NOTICES, "Kx");
    await write(300);
    await using replicating = new Replicating(redis.port);
    await replicating.prints(/now following changes/);

    await write(400, 300);
    await source.call("SET", "last", "1");
    await until("the last write arrives", async () => (await textOf(resp, "GET", "last")) === "1", {
      mayFail: true,
    });

    replicating.kill("SIGINT");
    await replicating.ended;
    assert.equal(replicating.code, 0, replicating.output);
    assert.match(replicating.output, /cut over: the daemons have the \d+ keys of the Redis/);
    assert.match(replicating.output, /restored notify-keyspace-events of the Redis to "[xK]{2}"/);
    assert.equal(await contentsOf(resp), await contentsOf(redis.port));
    await source.call("CONFIG", "SET", NOTICES, "");
  });

  test("cuts over automatically after the given time without a write", async () => {
    await write(100);
    await using replicating = new Replicating(redis.port, "--cut-over", "1");
    await replicating.ended;
    assert.equal(replicating.code, 0, replicating.output);
    // Nothing had changed or been deleted, so no line says so.
    assert.match(replicating.output, /^cut over: the daemons have the \d+ keys of the Redis\nrestored /m);
    assert.equal(await contentsOf(resp), await contentsOf(redis.port));
  });

  test("finds changes that cause no notifications, such as FLUSHALL, when it ends", async () => {
    await write(100);
    await using replicating = new Replicating(redis.port);
    await replicating.prints(/following/);

    await source.call("FLUSHALL");
    await source.call("SET", "after", "1");
    await until("the write arrives", async () => (await textOf(resp, "GET", "after")) === "1", {
      mayFail: true,
    });

    replicating.kill("SIGINT");
    await replicating.ended;
    assert.equal(replicating.code, 0, replicating.output);
    assert.match(
      replicating.output,
      /cut over: the daemons have the 1 key of the Redis\n\d+ keys had changed/,
    );
    assert.equal(await contentsOf(resp), await contentsOf(redis.port));
  });

  test("can be repeated after a kill, and nothing is lost, doubled or left over", async () => {
    await write(200);
    await using killed = new Replicating(redis.port);
    await killed.prints(/following/);
    await write(100, 200);
    killed.kill("SIGKILL");
    await killed.ended;

    // The import has ended, so it misses these writes.
    await write(100, 300);
    await source.call("DEL", "h", "l:0", "set:0");
    await target.call("SET", "only here", "1");

    await using again = new Replicating(redis.port, "--replace");
    await again.prints(/following/);
    await write(100, 400);
    again.kill("SIGINT");
    await again.ended;
    assert.equal(again.code, 0, again.output);
    assert.match(again.output, /^1 key that the Redis does not have were deleted$/m);
    assert.equal(await contentsOf(resp), await contentsOf(redis.port));
  });

  test("values that are read in pieces may be deleted, created again and extended during the import", async () => {
    await source.call("ACL", "SETUSER", "default", "-dump");
    try {
      for (let i = 0; i < 60; i++) source.queue(["XADD", "x", "*", "f", "v"]);
      await source.flush();
      await using replicating = new Replicating(redis.port);
      let isDone = false;
      const writing = (async () => {
        for (let i = 0; !isDone; i++) {
          for (let j = 0; j < 3; j++) source.queue(["XADD", `y:${j % 3}`, "*", "f", "v"]);
          source.queue(["XADD", "x", "*", "f", "v"]);
          for (const key of [`y:${i % 3}`, "z"]) source.queue(["DEL", key]);
          source.queue(i % 2 === 0 ? ["SET", "z", "1"] : ["RPUSH", "z", "1"]);
          await source.flush();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      await replicating.prints(/following/).finally(() => {
        isDone = true;
      });
      await writing;
      replicating.kill("SIGINT");
      await replicating.ended;
      assert.equal(replicating.code, 0, replicating.output);
      assert.equal(await contentsOf(resp), await contentsOf(redis.port));
      const [sourceLength, targetLength] = [
        await textOf(redis.port, "XLEN", "x"),
        await textOf(resp, "XLEN", "x"),
      ];
      assert.equal(targetLength, sourceLength);
    } finally {
      await source.call("ACL", "SETUSER", "default", "+dump");
    }
  });

  test("compares all keys again after its connection breaks", async () => {
    await write(100);
    await using replicating = new Replicating(redis.port);
    await replicating.prints(/following/);
    await source.call("CLIENT", "KILL", "TYPE", "pubsub");
    await source.call("SET", "meanwhile", "1");
    await replicating.prints(/reconnecting and comparing all keys/);
    await replicating.prints(/compared all keys: /);
    await until("the write arrives", async () => (await textOf(resp, "GET", "meanwhile")) === "1", {
      mayFail: true,
    });
    replicating.kill("SIGINT");
    await replicating.ended;
    assert.equal(replicating.code, 0, replicating.output);
    assert.equal(await contentsOf(resp), await contentsOf(redis.port));
  });

  test("is refused if the daemons already have keys, or the Redis does not report written keys", async () => {
    await target.call("SET", "there", "1");
    await using refused = new Replicating(redis.port);
    await refused.ended;
    assert.equal(refused.code, 1);
    assert.match(
      refused.output,
      /the daemons already have 1 key in .*, and the cut-over deletes all other keys/,
    );
    await source.call("ACL", "SETUSER", "default", "-config");
    await using silent = new Replicating(redis.port, "--replace");
    await silent.ended;
    await source.call("ACL", "SETUSER", "default", "+config");
    assert.equal(silent.code, 1);
    assert.match(silent.output, /permit the user CONFIG GET and CONFIG SET/);
  });
});
