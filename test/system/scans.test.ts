/**
 * Tests SCAN, HSCAN, SSCAN and ZSCAN on three real daemons. A daemon is killed between two pages or during a page,
 * while another client adds and removes elements. A scan returns each element that exists from its first page to its
 * last, or ends with the error that docs/sidecar.md explains in "Validity of cursors, ids and versions". DBSYNC_SEED
 * replays the choice of the killed daemon and approximately the time of the kill.
 */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Client } from "../../client/public-api.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import type { Reply } from "../../protocol/reply.js";
import { makeFolder } from "../daemon/program/replicas.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { pause } from "../support/pause.js";
import { RedisConnection } from "../support/redis-connection.js";
import { respPort } from "../support/resp-trio.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";

/** The number of elements. It exceeds the number that a page of any collection contains. */
const ELEMENTS = 1_200;
const ROUNDS = 1;
const PAGES_MAX = 1_000;
/** The maximum number of milliseconds from the request for a page to the kill. */
const KILL_MS = 12;
const LEVEL_MS = 120_000;
const TEST_MS = 240_000;
const INVALID = /invalid cursor/;

const seed = seedOfRun();
const names = Array.from({ length: ELEMENTS }, (_, number) => `stays:${number}`);
interface Family {
  readonly command: string;
  readonly key: readonly string[];
  add(name: string): string[];
  remove(name: string): string[];
  /** The number of reply items per element. */
  readonly step: number;
}

const families: readonly Family[] = [
  {
    command: "SCAN",
    key: [],
    add: (name) => ["SET", name, "1"],
    remove: (name) => ["DEL", name],
    step: 1,
  },
  {
    command: "HSCAN",
    key: ["h"],
    add: (name) => ["HSET", "h", name, "1"],
    remove: (name) => ["HDEL", "h", name],
    step: 2,
  },
  {
    command: "SSCAN",
    key: ["s"],
    add: (name) => ["SADD", "s", name],
    remove: (name) => ["SREM", "s", name],
    step: 1,
  },
  {
    command: "ZSCAN",
    key: ["z"],
    add: (name) => ["ZADD", "z", "1", name],
    remove: (name) => ["ZREM", "z", name],
    step: 2,
  },
];

interface Page {
  readonly next: string;
  readonly items: readonly string[];
}

/** A client that scans a collection. */
interface Scanner extends AsyncDisposable {
  /** Requests a page. @throws Error if the answer is an error or the connection is lost */
  page(argv: readonly string[]): Promise<Page>;
  /** Handles an error. @returns whether the scan can continue with the same cursor */
  mayGoOn(problem: Error, isKilled: boolean): Promise<boolean>;
}

function pageOf(reply: Reply): Page {
  if (reply.kind === "error") throw new Error(reply.text);
  const texts = (one: Reply | undefined): string[] =>
    one?.kind === "array"
      ? one.items.map((item) => (item.kind === "bulk" ? item.bytes : ""))
      : [one?.kind === "bulk" ? one.bytes : ""];
  assert.ok(reply.kind === "array", JSON.stringify(reply));
  return { next: texts(reply.items[0])[0] as string, items: texts(reply.items[1]) };
}

describe(`while a daemon is killed (seed ${seed})`, () => {
  const folder = makeFolder();
  let trio: Trio;
  let sidecar: DaemonProcess;
  let port = 0;
  let isWriting = true;
  let writing: Promise<void> = Promise.resolve();
  /** The indices of the daemons, by the process number that their cursors contain. */
  const issuers = new Map<number, number>();

  before(async () => {
    trio = await Trio.start(["--resp", "0"]);
    await trio.untilNoneIsLate();
    await using client = trio.client();
    for (const { add } of families) await client.multi(names.map(add));
    await trio.level(LEVEL_MS);
    port = await freePort();
    const key = join(folder.path, "private.pem");
    writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    sidecar = await startDaemon([
      ...["-d", `dbsync:${trio.servers.join(",")}`, "--key", key, "--resp", String(port)],
    ]);
    for (const index of trio.ports.keys()) await recordProcess(index);
    writing = write();
  });

  after(async () => {
    isWriting = false;
    await writing;
    await sidecar?.[Symbol.asyncDispose]();
    await trio?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Adds and removes elements through another client until the test ends. */
  async function write(): Promise<void> {
    await using client = trio.client();
    const random = new SeededRandom(seed, 99);
    for (let number = 0; isWriting; number++) {
      const { add, remove } = random.oneOf(families);
      const element = `other:${random.below(2_000)}`;
      // A daemon that is being killed may refuse a command.
      await client.call(number % 3 === 2 ? remove(element) : add(element)).catch(() => {});
      await pause(1);
    }
  }

  async function recordProcess(index: number): Promise<void> {
    await using client = trio.client([index]);
    const [cursor] = (await client.call(["SCAN", "0", "COUNT", "10"])) as [string];
    issuers.set(processOf(cursor), index);
  }

  const processOf = (cursor: string) => Number(BigInt(cursor) >> 32n);

  async function restart(index: number): Promise<void> {
    await trio.start(index);
    await trio.until("all daemons are live", async () =>
      (await trio.statuses()).every(({ state }) => state === "live"),
    );
    await recordProcess(index);
  }

  async function bySidecar(): Promise<Scanner> {
    const redis = await RedisConnection.open(port);
    return {
      page: async (argv) => pageOf(await redis.call(...argv)),
      mayGoOn: async () => false,
      async [Symbol.asyncDispose]() {
        redis[Symbol.dispose]();
      },
    };
  }

  async function byLibrary(): Promise<Scanner> {
    const client: Client = trio.client();
    return {
      async page(argv) {
        const [next, items] = (await client.call([...argv], { policy: 1 })) as [string, ReplyValue[]];
        return { next, items: items.map(String) };
      },
      async mayGoOn(problem, isKilled) {
        assert.match(problem.message, INVALID);
        // Even without a kill, the client reports this error if the page of the cursor's daemon arrives 50 ms later
        // than the errors of the other daemons.
        assert.ok(isKilled || /another daemon/.test(problem.message), problem.message);
        return false;
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    };
  }

  /** Scans through --resp of one daemon. If this daemon is killed, continues on another with the same cursor. */
  async function byDaemon(first: number): Promise<Scanner> {
    let redis = await RedisConnection.open(await respPort(trio, first));
    return {
      page: async (argv) => pageOf(await redis.call(...argv)),
      async mayGoOn(problem, isKilled) {
        assert.ok(isKilled && !INVALID.test(problem.message), problem.message);
        redis[Symbol.dispose]();
        const other = (first + 1) % trio.ports.length;
        redis = await RedisConnection.open(await respPort(trio, other));
        return true;
      },
      async [Symbol.asyncDispose]() {
        redis[Symbol.dispose]();
      },
    };
  }

  /**
   * Scans a collection. Kills the daemon that issued the cursor, or a random daemon if there is no cursor yet.
   * @returns the elements that the scan returned, or the error that ended it
   */
  async function scan(
    scanner: Scanner,
    { command, key, step }: Family,
    { random, pages: pagesExpected }: { readonly random: SeededRandom; readonly pages: number },
  ): Promise<{ readonly found: Set<string>; readonly problem: Error | null; readonly killed: number }> {
    const found = new Set<string>();
    const killAt = random.below(pagesExpected);
    let killed = -1;
    let kill: Promise<unknown> = Promise.resolve();
    let cursor = "0";

    for (let pages = 0; pages < PAGES_MAX; pages++) {
      if (pages === killAt) {
        const issuer = cursor === "0" ? undefined : issuers.get(processOf(cursor));
        killed = issuer ?? random.below(trio.ports.length);
        const delay = random.below(KILL_MS);
        kill = pause(delay).then(() => trio.end(killed, "SIGKILL"));
        if (random.chance(0.5)) await kill;
      }

      try {
        const { next, items } = await scanner.page([
          command,
          ...key,
          cursor,
          "COUNT",
          String(random.between(50, 400)),
        ]);
        for (let i = 0; i < items.length; i += step) found.add(items[i] as string);
        cursor = next;
      } catch (problem) {
        await kill;
        if (!(await scanner.mayGoOn(problem as Error, killed >= 0)))
          return { found, problem: problem as Error, killed };
        continue;
      }

      if (cursor === "0") {
        await kill;
        return { found, problem: null, killed };
      }
    }
    throw new Error(`the scan with ${command} does not end`);
  }

  /** The kinds of scans. `pages` is the minimum number of pages. */
  const scanners: readonly {
    readonly how: string;
    open(random: SeededRandom): Promise<Scanner>;
    readonly pages: number;
    readonly mayFail: boolean;
  }[] = [
    { how: "through a sidecar", open: bySidecar, pages: 1, mayFail: false },
    { how: "by a client library with three servers", open: byLibrary, pages: 4, mayFail: true },
    {
      how: "through --resp of one daemon, then of another",
      open: (random) => byDaemon(random.below(3)),
      pages: 4,
      mayFail: false,
    },
  ];

  for (const [index, { how, open, pages, mayFail }] of scanners.entries())
    test(`scans ${how} skip no element`, { timeout: TEST_MS }, async (t) => {
      let failed = 0;
      let complete = 0;
      for (let round = 0; round < ROUNDS; round++)
        for (const [number, family] of families.entries()) {
          const random = new SeededRandom(seed, index, round, number);
          await using scanner = await open(random);
          const { found, problem, killed } = await scan(scanner, family, { random, pages });
          if (killed >= 0) await restart(killed);
          if (problem === null) {
            complete++;
            const missing = names.filter((name) => !found.has(name));
            assert.deepEqual(missing.slice(0, 5), [], `${family.command}: ${missing.length} were skipped`);
          } else {
            failed++;
            assert.ok(mayFail, `${family.command}: ${problem.message}`);
            assert.match(problem.message, INVALID);
          }
        }
      t.diagnostic(`${complete} complete, ${failed} ended with the error`);
    });
});
