/** Tests the cache of examples/recipes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../../client/public-api.js";
import { Cache } from "../../../examples/recipes/cache.js";
import { type CutTrio, shareTrio } from "./cut-trio.js";

const trioOfFile = shareTrio();

const ASKERS = 12;
const TIMES = { ttlMs: 600_000, missingMs: 600_000 };

/** A slow function whose result the test can delay. */
class Slow {
  value: string | null = "old";
  made = 0;
  #go: (() => void)[] = [];
  #isHeld = false;

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const go of this.#go.splice(0)) go();
  }

  readonly make = async (): Promise<string | null> => {
    const { value } = this;
    this.made++;
    if (this.#isHeld) await new Promise<void>((resolve) => void this.#go.push(resolve));
    return value;
  };
}

test("at most one of many requests in each program computes a value, even while a daemon is killed", async () => {
  await using cut = await trioOfFile();
  const slow = new Slow();
  const caches = [0, 1, 2].map(() => new Cache(cut.client(), slow.make, TIMES));
  slow.hold();
  const requests = Array.from({ length: ASKERS }, (_, i) => (caches[i % 3] as Cache<string>).get("page"));
  await cut.trio.until("a program computes the value", async () => slow.made > 0);
  await cut.kill(0);
  slow.release();
  assert.deepEqual(await Promise.all(requests), Array(ASKERS).fill("old"));
  assert.ok(slow.made >= 1 && slow.made <= caches.length, `the value was computed ${slow.made} times`);
});

test("the cache stores missing values, repeats failed computations, and does not wait for a killed process", async () => {
  await using cut = await trioOfFile();
  const slow = new Slow();
  slow.value = null;
  const client = cut.client();
  const cache = new Cache(client, slow.make, TIMES);
  assert.deepEqual([await cache.get("none"), await cache.get("none")], [null, null]);
  assert.equal(slow.made, 1);

  let tries = 0;
  const failing = async () => {
    if (tries++ === 0) throw new Error("not now");
    return "there";
  };
  const other = new Cache(client, failing, TIMES);
  await assert.rejects(other.get("failing"), /not now/);
  assert.equal(await other.get("failing"), "there");

  await client.send("SET flight:left gone PX 300"); // A killed process leaves this key behind.
  assert.equal(await other.get("left"), "there");
});

/** Computes a value from old data on one daemon, while another daemon receives the change. */
async function fillWhileChanged(cut: CutTrio, reading: Client, changing: Client, slow: Slow): Promise<void> {
  const cache = new Cache(reading, slow.make, TIMES);
  slow.hold();
  const got = cache.get("page");
  await cut.trio.until("the value is being computed", async () => slow.made > 0);
  slow.value = "new";
  await new Cache(changing, slow.make, TIMES).changed("page");
  slow.release();
  assert.equal(await got, "old");
}

test("the cache does not keep a value that was computed from changed data, even if its program did not know about the change", async () => {
  await using cut = await trioOfFile();
  const [reading, changing] = [await cut.reaching([0]), await cut.reaching([1])];
  cut.areApart = true;
  const slow = new Slow();
  await fillWhileChanged(cut, reading, changing, slow);

  const deletedBefore = Date.now() + 1;
  await changing.send("DEL naive");
  // The write must have a later date than the deletion, since the order of two writes in the same millisecond is not
  // predictable.
  await cut.trio.until("a millisecond has passed", async () => Date.now() > deletedBefore);
  await reading.send("SET naive old");
  assert.equal(await reading.send("GET cache:page"), '"old"', "the value is cached for now");

  await cut.heal();
  assert.equal(await reading.send("GET cache:page"), null);
  assert.equal(await new Cache(changing, slow.make, TIMES).get("page"), "new");
  assert.equal(await changing.send("GET naive"), "old", "without the condition the old value stays");
});
