/**
 * A small unit with a large effect is either refused before it is recorded, or runs without delaying other
 * clients. The tests cover every family of commands.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { MongoClient } from "mongodb";
import { some } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { pause } from "../support/pause.js";
import { RedisConnection, textOfValue } from "../support/redis-connection.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";

/**
 * The maximum CPU time of the daemon's main thread in milliseconds: ten times the limit of one step. Other load on
 * the machine does not count.
 */
const STEP_CPU_MS_MAX = 500;
const MS_PER_TICK = 10;
const PING_EVERY_MS = 20;

/** Returns the CPU time of the main thread of a process, in milliseconds. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/task/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/**
 * A sender of PINGs on another connection. It measures the maximum CPU time that the daemon uses while a PING waits for
 * its answer.
 */
class Pings implements AsyncDisposable {
  longest = 0;
  #over = false;
  readonly #line: RedisConnection;
  readonly #pid: number;
  readonly #done: Promise<void>;

  private constructor(line: RedisConnection, pid: number) {
    this.#line = line;
    this.#pid = pid;
    this.#done = this.#run();
  }

  static async start({ resp, daemon }: Scene): Promise<Pings> {
    return new Pings(await RedisConnection.open(resp), daemon.pid);
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      const before = cpuMs(this.#pid);
      await this.#line.value("PING").catch(() => (this.longest = Number.POSITIVE_INFINITY));
      this.longest = Math.max(this.longest, cpuMs(this.#pid) - before);
      await pause(PING_EVERY_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#done;
    this.#line[Symbol.dispose]();
  }
}

interface Scene extends AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly resp: number;
  readonly mongo: MongoClient;
  readonly line: RedisConnection;
}

async function start(args: readonly string[] = []): Promise<Scene> {
  const [resp, port] = [await freePort(), await freePort()];
  const daemon = await startDaemon(["--resp", String(resp), "--mongo", String(port), ...args]);
  const mongo = new MongoClient(`mongodb://127.0.0.1:${port}`, { serverSelectionTimeoutMS: 60_000 });
  const line = await RedisConnection.open(resp);
  const close = async () => {
    line[Symbol.dispose]();
    await mongo.close().catch(() => {});
    await daemon[Symbol.asyncDispose]();
  };
  return { daemon, resp, mongo, line, [Symbol.asyncDispose]: close };
}

describe("a small unit with a large effect", () => {
  test("is refused before it is recorded if it extends lists in many documents", {
    timeout: 300_000,
  }, async () => {
    using folder = new ScratchFolder();
    await using scene = await start(["--data", `${folder.path}/data`]);
    const items = scene.mongo.db("shop").collection("items");
    await items.insertMany(Array.from({ length: 100 }, (_, n) => ({ n, q: [n] })));
    let failed = false;
    await using pings = await Pings.start(scene);
    await items.updateMany({}, { $set: { "q.1499999": 1 } }).catch(() => (failed = true));
    await pause(2 * PING_EVERY_MS);
    assert.ok(failed, "the update is refused");
    assert.equal(await items.countDocuments({ "q.1": { $exists: true } }), 0, "no document was changed");
    assert.ok(pings.longest < STEP_CPU_MS_MAX, `another client waited for ${pings.longest} ms of CPU`);
  });

  const random = new SeededRandom(seed());
  const far = () => random.between(1_000_000, 1_499_999);
  type Unit = (scene: Scene) => Promise<unknown>;
  const update =
    (before: unknown, change: () => Record<string, unknown>): Unit =>
    async ({ mongo }) => {
      const collection = mongo.db("class").collection("units");
      await collection.deleteMany({});
      await collection.insertMany(Array.from({ length: 40 }, (_, n) => ({ n, q: before })) as object[]);
      await collection.updateMany({}, change());
    };
  const sql = async ({ line }: Scene, statement: string) => {
    const answer = await line.value("SQL", "big", statement);
    return answer;
  };

  const units: Readonly<Record<string, Unit>> = {
    "MDB $set far after the end of a list": update([], () => ({ $set: { [`q.${far()}.x`]: 1 } })),
    "MDB $inc far after the end of a list": update([], () => ({ $inc: { [`q.${far()}`]: 1 } })),
    "MDB $max far after the end of a list": update([], () => ({ $max: { [`q.${far()}`]: 1 } })),
    "MDB $push into a missing list far after the end of another list": update([], () => ({
      $push: { [`q.${far()}`]: 1 },
    })),
    "MDB nested lists": update([[]], () => ({ $set: { "q.900000": 1, "q.0.900000": 1 } })),
    "MDB pipeline with $range": async ({ mongo }) => {
      const collection = mongo.db("class").collection("units");
      await collection.updateMany({}, [{ $set: { q: { $range: [0, far()] } } }]);
    },
    "MDB one command with many updates": async ({ mongo }) => {
      const updates = Array.from({ length: 20 }, (_, n) => ({
        q: {},
        u: { $set: { [`f${n}.q`]: [], [`q.${far()}`]: n } },
        multi: true,
      }));
      await mongo.db("class").command({ update: "units", updates });
    },
    "MDB aggregation that unwinds lists against each other": async ({ mongo }) => {
      const collection = mongo.db("class").collection("lists");
      await collection.deleteMany({});
      const list = Array.from({ length: 300 }, (_, n) => n);
      await collection.insertOne({ a: list, b: list, c: list });
      const stages = ["$a", "$b", "$c"].map((path) => ({ $unwind: path }));
      await collection.aggregate([...stages, { $group: { _id: null, n: { $sum: 1 } } }]).toArray();
    },
    "SETRANGE of many keys in one transaction": async ({ line }) => {
      await line.value("MULTI");
      for (let n = 0; n < 20; n++) void line.value("SETRANGE", `far:${n}`, 500_000_000, "x");
      await line.value("EXEC");
    },
    "SETBIT of many keys in one transaction": async ({ line }) => {
      await line.value("MULTI");
      for (let n = 0; n < 20; n++) void line.value("SETBIT", `bit:${n}`, 4_294_967_295, 1);
      await line.value("EXEC");
    },
    "repeated COPY of a long list": async ({ line }) => {
      for (let n = 0; n < 20; n++)
        await line.value("RPUSH", "long", ...Array.from({ length: 5_000 }, (_, i) => i));
      await line.value("MULTI");
      for (let n = 0; n < 60; n++) void line.value("COPY", "long", `copy:${n}`);
      await line.value("EXEC");
    },
    "repeated ZUNIONSTORE of large sets": async ({ line }) => {
      for (let n = 0; n < 20; n++)
        await line.value("ZADD", "wide", ...Array.from({ length: 10_000 }, (_, i) => i));
      await line.value("MULTI");
      for (let n = 0; n < 100; n++) void line.value("ZUNIONSTORE", `union:${n}`, 2, "wide", "wide");
      await line.value("EXEC");
    },
    "a script that doubles a string": async ({ line }) => {
      await line.value(
        "EVAL",
        "local s='x' for i=1,25 do s=s..s end redis.call('SET',KEYS[1],s) return 1",
        1,
        "doubled",
      );
    },
    "LCS of long texts": async ({ line }) => {
      const text = "ab".repeat(20_000);
      await line.value("MSET", "text:1", text, "text:2", `${text}c`);
      await line.value("LCS", "text:1", "text:2", "LEN");
    },
    "SQL insert of a product of tables": async (scene) => {
      await sql(scene, "create database big");
      await sql(scene, "create table t (n number)");
      const rows = Array.from({ length: 1_000 }, (_, n) => `(${n})`).join(",");
      await sql(scene, `insert into t values ${rows}`);
      await sql(scene, "create table wide (n number)");
      await sql(scene, "insert into wide select a.n from t a, t b, t c");
    },
    "SQL update that doubles texts": async (scene) => {
      await sql(scene, "create table s (x text(0,1000000000))");
      await sql(
        scene,
        `insert into s values ${Array.from({ length: 100 }, () => `('${"x".repeat(1_000)}')`).join(",")}`,
      );
      for (let n = 0; n < 20; n++) await sql(scene, "update s set x = concat(x, x)");
    },
    "DOC entries copied far after the end of a list": async ({ line }) => {
      await line.value("DOC.CREATE", "doc");
      await line.value(
        "DOC.INSERT",
        "doc",
        JSON.stringify(Array.from({ length: 50_000 }, (_, n) => ({ n }))),
      );
      await line.value("DOC.UPDATE", "doc", JSON.stringify({ text: "x".repeat(5_000) }));
    },
  };

  for (const [name, unit] of some(Object.entries(units), 9))
    test(`does not delay another client: ${name}`, { timeout: 300_000 }, async (context) => {
      await using scene = await start();
      let ended: unknown = "done";
      let longest = 0;
      {
        await using pings = await Pings.start(scene);
        await unit(scene).catch((reason: Error) => (ended = reason.message.slice(0, 120)));
        await pause(2 * PING_EVERY_MS);
        longest = pings.longest;
      }
      context.diagnostic(`${longest} ms, ${textOfValue(String(ended))}`);
      assert.ok(longest < STEP_CPU_MS_MAX, `another client waited for ${longest} ms of CPU`);
    });
});
