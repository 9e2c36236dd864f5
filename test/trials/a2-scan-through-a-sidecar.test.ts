/**
 * Number A2. A SCAN, HSCAN, SSCAN or ZSCAN through a sidecar returns each element that is there from beginning to end, or ends with an error,
 * although each page may be answered by another daemon.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Trio } from "../faults/trio.js";
import { freePort } from "../support/free-port.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { Gate } from "./gate.js";
import { type Answer, RedisLine, said } from "./redis-line.js";
import { Folder, startSidecar, until, within } from "./scene.js";

const ELEMENTS = 1_500;
const ROUNDS = 4;
/** A page that only one daemon may answer has this long before the others may answer too. */
const ALONE_MS = 1_000;
/** Pages of a scan that does not end. */
const PAGES_MAX = 20_000;

const random = new SeededRandom(seed());
const names = Array.from({ length: ELEMENTS }, (_, number) => `stays:${number}`);

interface Family {
  readonly command: string;
  add(name: string): string[];
  remove(name: string): string[];
  page(cursor: string): string[];
  /** Numbers of answered items for each element. */
  readonly step: number;
}

const families: readonly Family[] = [
  {
    command: "SCAN",
    add: (name) => ["SET", name, "1"],
    remove: (name) => ["DEL", name],
    page: (cursor) => ["SCAN", cursor, "COUNT", "50"],
    step: 1,
  },
  {
    command: "HSCAN",
    add: (name) => ["HSET", "h", name, "1"],
    remove: (name) => ["HDEL", "h", name],
    page: (cursor) => ["HSCAN", "h", cursor, "COUNT", "50"],
    step: 2,
  },
  {
    command: "SSCAN",
    add: (name) => ["SADD", "s", name],
    remove: (name) => ["SREM", "s", name],
    page: (cursor) => ["SSCAN", "s", cursor, "COUNT", "50"],
    step: 1,
  },
  {
    command: "ZSCAN",
    add: (name) => ["ZADD", "z", "1", name],
    remove: (name) => ["ZREM", "z", name],
    page: (cursor) => ["ZSCAN", "z", cursor, "COUNT", "50"],
    step: 2,
  },
];

describe("through a sidecar", () => {
  const folder = new Folder();
  let trio: Trio;
  const gates: Gate[] = [];
  let line: RedisLine;
  let other: RedisLine;
  let sidecar: AsyncDisposable;

  before(async () => {
    trio = await Trio.start();
    await trio.untilNoneIsLate();
    for (const port of trio.ports) gates.push(await Gate.open(() => port));
    const resp = await freePort();
    const servers = gates.map(({ address }) => address);
    sidecar = await startSidecar(folder.privateKey(trio.app), servers, ["--resp", String(resp)]);
    line = await RedisLine.open(resp);
    other = await RedisLine.open(resp);
    await until("a write is taken", async () => (await line.call("SET", "first", "1")) === "OK");
  });

  after(async () => {
    line?.[Symbol.dispose]();
    other?.[Symbol.dispose]();
    await sidecar?.[Symbol.asyncDispose]();
    for (const gate of gates) await gate[Symbol.asyncDispose]();
    await trio?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Asks while one daemon alone is reached; the others too, if no answer comes. */
  async function askOne(index: number, argv: readonly string[]): Promise<Answer> {
    for (const [number, gate] of gates.entries()) if (number !== index) gate.hold();
    const asked = line.call(...argv);
    await within(ALONE_MS, asked);
    for (const gate of gates) gate.release();
    return await asked;
  }

  /** @returns what was found; an error that ended the scan */
  async function scan(family: Family, isAlternating: boolean, round: number): Promise<Set<string> | Error> {
    const found = new Set<string>();
    let cursor = "0";
    for (let page = 0; page < PAGES_MAX; page++) {
      const index = isAlternating ? page % gates.length : random.below(gates.length);
      const answer = await askOne(index, family.page(cursor));
      if (answer instanceof Error) return answer;
      const [next, items] = answer as [string, string[]];
      for (let i = 0; i < items.length; i += family.step) found.add(items[i] as string);
      const extra = `extra:${round}:${page}`;
      await other.call(...(page % 3 === 0 ? family.remove(`extra:${round}:${page - 1}`) : family.add(extra)));
      cursor = next;
      if (cursor === "0") return found;
    }
    throw new Error(`${family.command} does not end`);
  }

  for (const family of families) {
    test(`${family.command} returns what is there all the time`, { timeout: 300_000 }, async () => {
      await Promise.all(names.map((name) => line.call(...family.add(name))));
      const removed = Array.from({ length: ELEMENTS }, (_, number) => `goes:${number}`);
      await Promise.all(removed.map((name) => line.call(...family.add(name))));
      await Promise.all(random.shuffled(removed).map((name) => line.call(...family.remove(name))));
      await trio.level(120_000);
      for (let round = 0; round < ROUNDS; round++) {
        const found = await scan(family, round % 2 === 0, round);
        if (found instanceof Error) {
          assert.notEqual(said(found), "");
          continue;
        }
        const missing = names.filter((name) => !found.has(name));
        assert.deepEqual(missing.slice(0, 5), [], `${missing.length} of ${names.length} were skipped`);
      }
    });
  }
});
