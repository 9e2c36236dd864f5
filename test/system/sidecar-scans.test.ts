/**
 * SCAN, HSCAN, SSCAN and ZSCAN through a sidecar return each element that exists from the beginning to the
 * end of the scan, or end with an error. Each page may come from another daemon, which may not have received another
 * client's deletions yet.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CuttablePort } from "../support/cuttable-port.js";
import { freePort } from "../support/free-port.js";
import { within } from "../support/pause.js";
import { RedisConnection, type RedisValue, textOfValue } from "../support/redis-connection.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

const ELEMENTS = 1_500;
/** Milliseconds for which only one daemon can answer. */
const ALONE_MS = 700;
const PAGE = "400";
/** The index of the daemon that has not received the latest writes when the scan begins. */
const LAGGING = 2;
/** The number of pages after which a scan is considered endless. */
const PAGES_MAX = 1_000;

const names = Array.from({ length: ELEMENTS }, (_, number) => `stays:${number}`);
const removed = Array.from({ length: 60 }, (_, number) => `goes:${number}`);

interface Family {
  readonly command: string;
  add(name: string): string[];
  remove(name: string): string[];
  page(cursor: string): string[];
  /** The number of items in the answer per element. */
  readonly step: number;
}

const families: readonly Family[] = [
  {
    command: "SCAN",
    add: (name) => ["SET", name, "1"],
    remove: (name) => ["DEL", name],
    page: (cursor) => ["SCAN", cursor, "COUNT", PAGE],
    step: 1,
  },
  {
    command: "HSCAN",
    add: (name) => ["HSET", "h", name, "1"],
    remove: (name) => ["HDEL", "h", name],
    page: (cursor) => ["HSCAN", "h", cursor, "COUNT", PAGE],
    step: 2,
  },
  {
    command: "SSCAN",
    add: (name) => ["SADD", "s", name],
    remove: (name) => ["SREM", "s", name],
    page: (cursor) => ["SSCAN", "s", cursor, "COUNT", PAGE],
    step: 1,
  },
  {
    command: "ZSCAN",
    add: (name) => ["ZADD", "z", "1", name],
    remove: (name) => ["ZREM", "z", name],
    page: (cursor) => ["ZSCAN", "z", cursor, "COUNT", PAGE],
    step: 2,
  },
];

describe("through a sidecar", () => {
  const folder = new ScratchFolder();
  let trio: Trio;
  const gates: CuttablePort[] = [];
  const links: CuttablePort[] = [];
  let line: RedisConnection;
  let sidecar: AsyncDisposable;

  before(async () => {
    trio = await Trio.make();

    const laggingLinks = new Map<string, CuttablePort>();
    for (const [from, to] of [
      [0, LAGGING],
      [1, LAGGING],
      [LAGGING, 0],
      [LAGGING, 1],
    ] as const)
      laggingLinks.set(`${from}-${to}`, await CuttablePort.open(() => trio.ports[to] as number));
    links.push(...laggingLinks.values());
    trio.linkPort = (from, to) => laggingLinks.get(`${from}-${to}`)?.port ?? (trio.ports[to] as number);
    await trio.startAll();
    await trio.untilNoneIsLate();

    for (const port of trio.ports) gates.push(await CuttablePort.open(() => port));
    const resp = await freePort();
    const servers = gates.map(({ address }) => address);
    sidecar = await startSidecar(folder.privateKey(trio.app), servers, ["--resp", String(resp)]);
    line = await RedisConnection.open(resp);
    await until("a write is acknowledged", async () => (await line.value("SET", "first", "1")) === "OK");
  });

  after(async () => {
    line?.[Symbol.dispose]();
    await sidecar?.[Symbol.asyncDispose]();
    for (const gate of [...gates, ...links]) await gate[Symbol.asyncDispose]();
    await trio?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Sends a request while only one daemon is reachable. Without an answer, makes all daemons reachable. */
  async function askOne(index: number, argv: readonly string[]): Promise<RedisValue> {
    for (const [number, gate] of gates.entries()) if (number !== index) gate.isHeld = true;
    const pendingAnswer = line.value(...argv);
    await within(ALONE_MS, pendingAnswer);
    for (const gate of gates) gate.release();
    return await pendingAnswer;
  }

  /**
   * Scans a collection. The first page comes from a daemon that has received all writes, the remaining pages come from
   * the lagging daemon.
   * @returns the elements, or the error that ended the scan
   */
  async function scan(family: Family): Promise<Set<string> | Error> {
    const found = new Set<string>();
    let cursor = "0";
    for (let page = 0; page < PAGES_MAX; page++) {
      const answer = await askOne(page === 0 ? 0 : LAGGING, family.page(cursor));
      if (answer instanceof Error) return answer;
      const [next, items] = answer as [string, string[]];
      for (let i = 0; i < items.length; i += family.step) found.add(items[i] as string);
      cursor = next;
      if (cursor === "0") return found;
    }
    throw new Error(`the scan with ${family.command} does not end`);
  }

  for (const family of families) {
    test(`${family.command} returns all elements that exist during the scan`, {
      timeout: 300_000,
    }, async () => {
      await using client = trio.client([0, 1]);
      await client.multi(removed.map(family.add));
      await client.multi(names.map(family.add));
      await trio.level(120_000);
      for (const link of links) link.isHeld = true;
      await client.multi(removed.map(family.remove), { replicated: 2 });
      const found = await scan(family);
      for (const link of links) link.release();
      await trio.level(120_000);
      if (found instanceof Error) {
        assert.notEqual(textOfValue(found), "");
        return;
      }
      const missing = names.filter((name) => !found.has(name));
      assert.deepEqual(missing.slice(0, 5), [], `${missing.length} of ${names.length} were skipped`);
    });
  }
});
