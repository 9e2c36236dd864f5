/**
 * Tests that a cluster grows from one daemon to five and shrinks to one by options and commands alone, while clients
 * write: nothing acknowledged is lost, and no plain write is refused. Source:
 * docs/decisions/0080-members-found-their-list.md.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Client } from "../../client/public-api.js";
import { skipUnlessFull } from "../support/amount.js";
import { pause } from "../support/pause.js";
import type { Trio } from "../support/trio.js";
import { NamedDaemons } from "./named-daemons.js";
import { PlainWrites } from "./plain-writes.js";

const SIZES = [1, 2, 3, 5];
const CALL_MS = 3_000;
/** The milliseconds between two creations of keys. */
const EVERY_MS = 40;

/**
 * A client that creates keys if they are absent, one after the other. More than half of the servers that it names have
 * to report the decision, so the test names those of the list.
 */
class Creations implements AsyncDisposable {
  readonly created: string[] = [];
  refused = 0;
  readonly #trio: Trio;
  readonly #running: Promise<void>;
  #client: Client;
  #isOver = false;

  constructor(trio: Trio, size: number) {
    this.#trio = trio;
    this.#client = this.#clientOf(size);
    this.#running = this.#run();
  }

  #clientOf(size: number): Client {
    return this.#trio.client(upTo(size), { timeout: CALL_MS });
  }

  async #run(): Promise<void> {
    for (let index = 0; !this.#isOver; index++) {
      const key = `created:${index}`;
      const answer = await this.#client.call(["SET", key, key, "NX"]).catch(() => "refused");
      if (answer === "OK") this.created.push(key);
      else if (answer === "refused") this.refused++;
      else assert.fail(`${key} existed already`);
      await pause(EVERY_MS);
    }
  }

  /** Names the first daemons from now on. */
  async name(size: number): Promise<void> {
    const before = this.#client;
    this.#client = this.#clientOf(size);
    await before[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#running;
    await this.#client[Symbol.asyncDispose]();
  }
}

const upTo = (size: number): readonly number[] => [...Array(size).keys()];

async function growAndShrink(t: TestContext): Promise<void> {
  const [largest] = SIZES.slice(-1) as [number];
  await using growing = await NamedDaemons.make(largest);
  const { trio } = growing;
  await trio.start(0);
  const options = { policy: "first", timeout: CALL_MS } as const;
  const writes = new PlainWrites(trio.client(undefined, options), "to all");
  const toFirst = new PlainWrites(trio.client([0], options), "to the first");
  const creations = new Creations(trio, 1);
  const keys = () => [...writes.acknowledged, ...toFirst.acknowledged, ...creations.created];
  let since = performance.now();
  const report = (step: string) => {
    for (const [name, { accepted, refusals }] of [
      ["to all", writes.since(since)],
      ["to the first", toFirst.since(since)],
    ] as const)
      t.diagnostic(
        `${step}: plain writes ${name}: ${accepted} accepted, refused: ${JSON.stringify([...refusals])}`,
      );
    t.diagnostic(
      `${step}: ${((performance.now() - since) / 1000).toFixed(1)} s; ${creations.created.length} keys created, ${creations.refused} refused so far`,
    );
    since = performance.now();
  };
  /** Waits until daemons use a list, create keys under it, and have all acknowledged writes. */
  const check = async (size: number) => {
    await growing.untilListed(upTo(size));
    await creations.name(size);
    const before = creations.created.length;
    await trio.until("keys are created", async () => creations.created.length > before);
    await growing.untilKept(upTo(size), keys());
  };

  for (const size of SIZES.slice(1)) {
    growing.name(upTo(size));
    for (let index = trio.running.length; index < size; index++) await trio.start(index);
    for (const index of trio.runningIndices) await growing.reload(index);
    await check(size);
    report(`grown to ${size}`);
  }
  for (let size = largest; size > 1; size--) {
    const id = await growing.idOf(size - 1);
    await trio.end(size - 1, "SIGTERM");
    growing.name(upTo(size - 1));
    for (const index of trio.runningIndices) await growing.reload(index);
    // The remaining one of a pair is no majority.
    if (size > 2) await growing.members(0, "remove", id);
    else await growing.members(0, "force", "--yes");
    await check(size - 1);
    report(`shrunk to ${size - 1}`);
  }

  await writes[Symbol.asyncDispose]();
  await toFirst[Symbol.asyncDispose]();
  await creations[Symbol.asyncDispose]();
  await growing.untilKept([0], keys());
  for (const one of [writes, toFirst]) assert.deepEqual([...one.since(0).refusals], []);
}

test(
  "a cluster grows and shrinks under load while daemons reload their options",
  {
    skip: skipUnlessFull,
  },
  growAndShrink,
);
