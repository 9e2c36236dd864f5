/**
 * Tests a group's consumers at two of three daemons that record, one of which is killed while it delivers: each entry
 * is processed, and all three daemons are equal afterwards.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reply } from "../../protocol/reply.js";
import { itemsOf, shown } from "../conformance/resp2-fold.js";
import { amount } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { letIn, respPort } from "./resp-trio.js";
import { Trio } from "./trio.js";

const ENTRIES = amount(90, 600);
const BATCH = 3;
/** Milliseconds after which a consumer that has not acknowledged an entry is considered dead. */
const IDLE = "300";

const textOf = (reply: Reply | undefined) => (reply?.kind === "bulk" ? reply.bytes : "");

/**
 * A consumer that reads, processes and acknowledges entries: its own, and those that other consumers have held for too
 * long.
 */
class Worker {
  /** Numbers of the processed entries, once for each delivery. */
  readonly done: string[] = [];
  isStopped = false;
  readonly #connection: RedisConnection;
  readonly #name: string;

  constructor(connection: RedisConnection, name: string) {
    this.#connection = connection;
    this.#name = name;
  }

  /** Works until it is stopped or its daemon is gone. */
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
      // Its last entries are left to the other consumers.
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

/** Returns how many entries are pending and how many undelivered, as one daemon reports it. */
async function left(connection: RedisConnection): Promise<string> {
  const [group] = itemsOf(await connection.call("XINFO", "GROUPS", "s"));
  const items = itemsOf(group).map(shown);
  return `pending ${items[5]}, lag ${items[11]}`;
}

test("what a killed daemon had handed out is dealt with by another's consumer", async () => {
  await using trio = await Trio.start(["--resp", "0"]);
  await letIn(trio);
  const ports = await Promise.all([0, 1, 2].map((index) => respPort(trio, index)));
  const [one, other, adding] = await Promise.all(ports.map((each) => RedisConnection.open(each)));
  using producer = adding as RedisConnection;
  using second = other as RedisConnection;
  using first = one as RedisConnection;
  assert.equal(shown(await producer.call("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")), `+"OK"`);
  const knowsGroup = async (connection: RedisConnection) =>
    itemsOf(await connection.call("XINFO", "GROUPS", "s")).length === 1;
  await trio.until("all know the group", async () => (await knowsGroup(first)) && (await knowsGroup(second)));

  const workers = [new Worker(first, "c1"), new Worker(second, "c2")] as const;
  const [, atSecond] = workers.map((worker) => worker.work());
  let isKilled = false;
  let added = 0;
  // On a busy machine it may take long until the first consumer has received any.
  while (added < ENTRIES || !isKilled) {
    await producer.call("XADD", "s", "*", "number", String(added++));
    if (isKilled || added < ENTRIES / 3 || workers[0].done.length === 0) continue;
    isKilled = true;
    await trio.end(0, "SIGKILL");
  }
  await trio.start(0);
  using again = await RedisConnection.open(await respPort(trio, 0));
  // Not the worker's own connection, whose answers it reads itself.
  using watching = await RedisConnection.open(ports[1] as number);
  const all = [again, watching, producer];
  await trio.until("nothing is left, as all three know it", async () => {
    const known = await Promise.all(all.map(left));
    return known.every((each) => each === "pending :0, lag :0");
  });
  workers[1].isStopped = true;
  await atSecond;
  const done = new Set(workers.flatMap((worker) => worker.done));
  const missing = Array.from({ length: added }, (_, i) => String(i)).filter((number) => !done.has(number));
  assert.deepEqual(missing, []);
  assert.ok(workers[0].done.length > 0, "the killed daemon's consumer had work");
  await trio.until("all three tell the same of the group, times too", async () => {
    const told = await Promise.all(
      all.map((each) => each.call("XINFO", "STREAM", "s", "FULL", "COUNT", "0")),
    );
    return new Set(told.map(shown)).size === 1;
  });
});

test("a signed read of a group that all daemons are sent is answered alike by all", async () => {
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
