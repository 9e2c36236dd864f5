/**
 * Tests the consumers of a group on two of three daemons with timelines. One daemon is killed while it delivers
 * entries. Each entry is processed, and all three daemons are equal afterwards.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reply } from "../../protocol/reply.js";
import { itemsOf, shown } from "../conformance/resp2-fold.js";
import { amount } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { authorizeDaemons, respPort } from "../support/resp-trio.js";
import { Trio } from "../support/trio.js";
import { nextTurn, until } from "../support/until.js";

const ENTRIES = amount(90, 600);
const BATCH = 3;
/** Milliseconds without an acknowledgement after which a consumer is considered dead. */
const IDLE = "300";

const textOf = (reply: Reply | undefined) => (reply?.kind === "bulk" ? reply.bytes : "");

/**
 * A consumer that reads, processes and acknowledges entries. It also claims entries that other consumers have not
 * acknowledged in time.
 */
class Worker {
  /** The numbers of the processed entries, one per delivery. */
  readonly done: string[] = [];
  isStopped = false;
  readonly #connection: RedisConnection;
  readonly #name: string;

  constructor(connection: RedisConnection, name: string) {
    this.#connection = connection;
    this.#name = name;
  }

  /** Processes entries until it is stopped or its daemon is killed. */
  async work(): Promise<void> {
    const group = ["GROUP", "g", this.#name, "COUNT", String(BATCH)];
    try {
      while (!this.isStopped) {
        const read = await this.#connection.call("XREADGROUP", ...group, "BLOCK", "50", "STREAMS", "s", ">");
        await this.#deal(itemsOf(itemsOf(itemsOf(read)[0])[1]));
        const claimed = await this.#connection.call("XAUTOCLAIM", "s", "g", this.#name, IDLE, "0");
        await this.#deal(itemsOf(itemsOf(claimed)[1]));
      }
    } catch {
      // The daemon was killed. Other consumers claim the last entries of this consumer.
    }
  }

  async #deal(entries: readonly Reply[]): Promise<void> {
    for (const entry of entries) {
      const [id, fields] = itemsOf(entry);
      this.done.push(textOf(itemsOf(fields)[1]));
      await this.#connection.call("XACK", "s", "g", textOf(id));
    }
  }
}

/** Returns the numbers of pending and undelivered entries that one daemon reports. */
async function unprocessed(connection: RedisConnection): Promise<string> {
  const [group] = itemsOf(await connection.call("XINFO", "GROUPS", "s"));
  const items = itemsOf(group).map(shown);
  return `pending ${items[5]}, lag ${items[11]}`;
}

test("a consumer of another daemon processes the entries that a killed daemon had delivered", async () => {
  await using trio = await Trio.start(["--resp", "0"]);
  await authorizeDaemons(trio);
  const ports = await Promise.all([0, 1, 2].map((index) => respPort(trio, index)));
  const [one, other, adding] = await Promise.all(ports.map((each) => RedisConnection.open(each)));
  using producer = adding as RedisConnection;
  using second = other as RedisConnection;
  using first = one as RedisConnection;
  assert.equal(shown(await producer.call("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")), `+"OK"`);
  const knowsGroup = async (connection: RedisConnection) =>
    itemsOf(await connection.call("XINFO", "GROUPS", "s")).length === 1;
  await trio.until(
    "all daemons have the group",
    async () => (await knowsGroup(first)) && (await knowsGroup(second)),
  );

  const workers = [new Worker(first, "c1"), new Worker(second, "c2")] as const;
  const [, atSecond] = workers.map((worker) => worker.work());
  let added = 0;
  const add = async () => {
    await producer.call("XADD", "s", "*", "number", String(added++));
    return added >= ENTRIES / 3 && workers[0].done.length > 0;
  };
  // On a busy machine it may take a long time until the first consumer has received an entry.
  await until("the first consumer has processed an entry", add, { pause: nextTurn });
  await trio.end(0, "SIGKILL");
  while (added < ENTRIES) await add();
  await trio.start(0);
  using again = await RedisConnection.open(await respPort(trio, 0));
  // This is a separate connection, since the worker reads all answers on its own connection.
  using watching = await RedisConnection.open(ports[1] as number);
  const all = [again, watching, producer];
  await trio.until("all three daemons report no unprocessed entry", async () => {
    const counts = await Promise.all(all.map(unprocessed));
    return counts.every((each) => each === "pending :0, lag :0");
  });
  workers[1].isStopped = true;
  await atSecond;
  const done = new Set(workers.flatMap((worker) => worker.done));
  const missing = Array.from({ length: added }, (_, i) => String(i)).filter((number) => !done.has(number));
  assert.deepEqual(missing, []);
  assert.ok(workers[0].done.length > 0, "the killed daemon's consumer processed entries");
  await trio.until("all three daemons report the same state of the group, including times", async () => {
    const replies = await Promise.all(
      all.map((each) => each.call("XINFO", "STREAM", "s", "FULL", "COUNT", "0")),
    );
    return new Set(replies.map(shown)).size === 1;
  });
});

test("all daemons answer the same signed read of a group equally", async () => {
  await using trio = await Trio.start();
  await trio.untilNoneIsLate();
  await using client = trio.client([0, 1, 2], { policy: "all-equal", format: "text" });
  await client.send("XGROUP CREATE s g 0 MKSTREAM");
  for (let number = 0; number < 3; number++) await client.send(`XADD s * number ${number}`);
  for (const consumer of ["c", "d", "e"]) {
    const answer = JSON.stringify(
      await client.send(`XREADGROUP GROUP g ${consumer} COUNT 1 BLOCK 0 STREAMS s >`),
    );
    assert.match(answer, /number/);
  }
  await client.send("XCLAIM s g e 0 0-1 FORCE");
  await client.send("XAUTOCLAIM s g e 0 0 JUSTID");
  assert.match(String(await client.send("XPENDING s g")), /e\n3$/);
});
