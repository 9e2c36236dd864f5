/**
 * A client receives answers from three real daemons, directly or through a sidecar. An answer stays valid if
 * the next answer comes from another daemon, even after the first daemon was killed. Scans return all elements or a
 * clear error, and ids, versions and payloads are the same on all daemons. Source: docs/sidecar.md, "Where an answer
 * is valid".
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { MongoClient } from "mongodb";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { CuttablePort } from "../support/cuttable-port.js";
import { freePort } from "../support/free-port.js";
import { RedisConnection, textOfValue } from "../support/redis-connection.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

/** The number of elements: more than one page of 400, and more than any collection returns in one page. */
const ELEMENTS = 1_500;
const PAGE = "400";
const DAEMONS = [0, 1, 2];
const TEST_MS = 300_000;

const names = Array.from({ length: ELEMENTS }, (_, number) => `stays:${number}`);

interface Family {
  readonly command: string;
  readonly key: readonly string[];
  add(name: string): string[];
  /** The number of items in the answer per element. */
  readonly step: number;
}

const families: readonly Family[] = [
  { command: "SCAN", key: [], add: (name) => ["SET", name, "1"], step: 1 },
  { command: "HSCAN", key: ["h"], add: (name) => ["HSET", "h", name, "1"], step: 2 },
  { command: "SSCAN", key: ["s"], add: (name) => ["SADD", "s", name], step: 1 },
  { command: "ZSCAN", key: ["z"], add: (name) => ["ZADD", "z", "1", name], step: 2 },
];

/** Reads that all daemons answer equally. */
const reads: readonly (readonly string[])[] = [
  ["WRITERS", "text", "list"],
  ["DUMP", "text"],
  ["SORT_RO", "list", "ALPHA", "BY", "nosort"],
  ["SMEMBERS", "s"],
  ["HKEYS", "h"],
  ["SSCAN", "s", "0", "COUNT", "100000"],
  ["HSCAN", "h", "0", "COUNT", "100000"],
  ["OBJECT", "ENCODING", "text"],
  ["XREAD", "STREAMS", "stream", "0"],
  ["XREAD", "STREAMS", "stream", "$"],
  ["XPENDING", "stream", "group"],
  ["XINFO", "STREAM", "stream"],
];

describe("the answers of three daemons", () => {
  const folder = new ScratchFolder();
  let trio: Trio;
  const gates: CuttablePort[] = [];
  let line: RedisConnection;
  let sidecar: AsyncDisposable;
  let [resp, mongo] = [0, 0];

  before(async () => {
    trio = await Trio.start();
    await trio.untilNoneIsLate();
    for (const port of trio.ports) gates.push(await CuttablePort.open(() => port));

    [resp, mongo] = [await freePort(), await freePort()];
    const servers = gates.map(({ address }) => address);
    const ports = ["--resp", String(resp), "--mongo", String(mongo)];
    sidecar = await startSidecar(folder.privateKey(trio.app), servers, ports);
    line = await RedisConnection.open(resp);
    await until("a write is acknowledged", async () => (await line.value("SET", "text", "1")) === "OK");

    await using client = trio.client();
    for (const { add } of families) await client.multi(names.map(add));
    await client.call("RPUSH list b a c");
    for (let entry = 0; entry < 20; entry++) await client.call("XADD stream * field value");
    await client.call("XGROUP CREATE stream group 0");
    await client.call("XREADGROUP GROUP group one COUNT 20 STREAMS stream >", { policy: "majority" });
    await trio.level(120_000);
  });

  after(async () => {
    line?.[Symbol.dispose]();
    await sidecar?.[Symbol.asyncDispose]();
    for (const gate of gates) await gate[Symbol.asyncDispose]();
    await trio?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Scans through the sidecar, and kills the daemon of the first page after that page. */
  async function scanOver(index: number, { command, key, step }: Family): Promise<Set<string> | Error> {
    const found = new Set<string>();
    let cursor = "0";
    do {
      if (cursor === "0") for (const [at, gate] of gates.entries()) if (at !== index) gate.isHeld = true;
      const answer = await line.value(command, ...key, cursor, "COUNT", PAGE);
      if (found.size === 0) {
        await trio.end(index, "SIGKILL");
        for (const gate of gates) gate.release();
      }
      if (answer instanceof Error) return answer;
      const [next, items] = answer as [string, string[]];
      for (let i = 0; i < items.length; i += step) found.add(items[i] as string);
      cursor = next;
    } while (cursor !== "0");
    return found;
  }

  async function restart(index: number): Promise<void> {
    await trio.start(index);
    await trio.until("all daemons are live", async () =>
      (await trio.statuses()).every(({ state }) => state === "live"),
    );
  }

  for (const [number, family] of families.entries())
    test(`${family.command} through the sidecar is complete or fails clearly if a daemon is killed after a page`, {
      timeout: TEST_MS,
    }, async () => {
      const found = await scanOver(number % DAEMONS.length, family);
      await restart(number % DAEMONS.length);
      if (found instanceof Error) assert.notEqual(textOfValue(found), "");
      else assert.deepEqual(names.filter((name) => !found.has(name)).slice(0, 5), []);
    });

  test("another daemon answers if the first one is killed before it answers", {
    timeout: TEST_MS,
  }, async () => {
    for (const gate of gates) gate.isHeld = true;
    const answer = line.value("SSCAN", "s", "0", "COUNT", PAGE);
    await trio.end(1, "SIGKILL");
    for (const gate of gates) gate.release();
    const [cursor, members] = (await answer) as [string, string[]];
    await restart(1);
    assert.equal(cursor, "0");
    assert.equal(members.length, ELEMENTS);
  });

  for (const { command, key, step } of families)
    test(`a client of three servers receives all pages of ${command} from the same daemon, or an error`, {
      timeout: TEST_MS,
    }, async () => {
      await using client = trio.client();
      const page = (cursor: string) => client.call([command, ...key, cursor, "COUNT", PAGE], { policy: 1 });
      const found = new Set<string>();
      let cursor = "0";
      do {
        const [next, items] = (await page(cursor)) as [string, string[]];
        for (let i = 0; i < items.length; i += step) found.add(items[i] as string);
        cursor = next;
      } while (cursor !== "0");
      assert.deepEqual(names.filter((name) => !found.has(name)).slice(0, 5), []);

      await using single = trio.client([2]);
      const [cursorOfOther] = (await single.call([command, ...key, "0", "COUNT", PAGE])) as [string];
      assert.notEqual(cursorOfOther, "0");
      await trio.end(2, "SIGKILL");
      await assert.rejects(page(cursorOfOther), /invalid cursor: another daemon issued it/);
      await restart(2);
      await assert.rejects(page(cursorOfOther), /invalid cursor: another daemon issued it/);
    });

  test("every daemon returns the same writers, ids, payloads and orders of values", {
    timeout: TEST_MS,
  }, async () => {
    await trio.level(120_000);
    for (const command of reads) {
      const answers: ReplyValue[] = [];
      for (const index of DAEMONS) {
        await using client = trio.client([index]);
        answers.push(await client.call([...command]));
      }
      assert.deepEqual(answers[1], answers[0], command.join(" "));
      assert.deepEqual(answers[2], answers[0], command.join(" "));
    }
  });

  test("a daemon accepts an XAUTOCLAIM cursor, a stream id and a writer that another daemon returned", {
    timeout: TEST_MS,
  }, async () => {
    await using first = trio.client([0]);
    await using second = trio.client([1]);
    const claim = ["XAUTOCLAIM", "stream", "group", "two", "0"];
    const [cursor, claimed] = (await first.call([...claim, "0", "COUNT", "8"], { replicated: 3 })) as [
      string,
      unknown[],
    ];
    const [, rest] = (await second.call([...claim, cursor, "COUNT", "100"])) as [string, unknown[]];
    assert.equal(claimed.length + rest.length, 20);
    const [[, entries]] = (await first.call("XREAD COUNT 5 STREAMS stream 0")) as [[string, [string][]]];
    const last = entries.at(-1)?.[0] as string;
    const [[, others]] = (await second.call(["XREAD", "STREAMS", "stream", last])) as [[string, unknown[]]];
    assert.equal(others.length, 15);
    const [writer] = (await first.call("WRITERS text")) as [string];
    assert.equal(await second.call("SET text 2", { if: [{ key: "text", writer }] }), "OK");
  });

  test("a MongoDB client continues a cursor through the sidecar after a daemon is killed", {
    timeout: TEST_MS,
  }, async () => {
    await using client = new MongoClient(`mongodb://127.0.0.1:${mongo}`);
    const items = client.db("shop").collection("items");
    await items.insertMany(Array.from({ length: 50 }, (_, number) => ({ number })));
    const cursor = items.find().sort({ number: 1 }).batchSize(5);
    for (const gate of gates.slice(0, 2)) gate.isHeld = true;
    assert.equal((await cursor.next())?.["number"], 0);
    for (const gate of gates) gate.release();
    await trio.end(2, "SIGKILL");
    assert.equal((await cursor.toArray()).length, 49);
    await restart(2);
  });

  test("a sidecar answers CLIENT ID and SLOWLOG with its own numbers", {
    timeout: TEST_MS,
  }, async () => {
    using other = await RedisConnection.open(resp);
    const [one, two] = [await line.value("CLIENT", "ID"), await other.value("CLIENT", "ID")];
    assert.notEqual(one, two);
    assert.equal(await line.value("CLIENT", "KILL", "ID", String(two)), 1);
    await line.value("CONFIG", "SET", "slowlog-log-slower-than", "0");
    await line.value("GET", "text");
    const [entry] = (await line.value("SLOWLOG", "GET", "1")) as [readonly [number]];
    assert.equal(typeof entry?.[0], "number");
    assert.notEqual(await line.value("RANDOMKEY"), null);
  });
});
