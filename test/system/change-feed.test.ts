/**
 * Tests that a follower of the final feed that is killed and continues at the position of its last line receives each
 * unit once, in the order of the fold, while three daemons take writes, links are cut, and a daemon is down. While it
 * is down, the feed stops and names it.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Client } from "../../client/public-api.js";
import { amount } from "../support/amount.js";
import { pause } from "../support/pause.js";
import { programPaths } from "../support/programs.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";
import { fieldsOf } from "./status.js";

/** A smaller window, so that a unit is final after about 7 s. */
const SMALL_WINDOW = ["--window", "3s,1s"];
const KILLS = amount(4, 6);
/** The pause between two writes of a client: one answer of TIMELINE LOG must have room for all units of a run. */
const WRITE_EVERY_MS = 100;
const seed = seedOfRun();

interface Line {
  readonly position: string;
  readonly at: number;
  readonly id: string;
  readonly index: number;
  readonly outcome: string;
  readonly reply: string;
}

/** `dbsync log --follow` as a process that is killed and started again. */
class Follower implements Disposable {
  /** The complete lines of all processes. */
  readonly lines: Line[] = [];
  /** What all processes have written to standard error. */
  notices = "";
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  start(from: string): void {
    const words = ["log", "--follow", "--json", `--from=${from}`, ...this.#args];
    const child = spawn(process.execPath, [programPaths.dbsync, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const complete = text.split("\n");
      text = complete.pop() ?? "";
      for (const line of complete) this.lines.push(JSON.parse(line) as Line);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      this.notices += chunk.toString();
    });
  }

  /** Kills the process. What it wrote last may be half of a line, which is dropped. */
  async kill(): Promise<void> {
    const child = this.#child as ChildProcess;
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
  }

  /** Kills the process, and starts another one after the last complete line. */
  async restart(from: string): Promise<void> {
    await this.kill();
    this.start(this.lines.at(-1)?.position ?? from);
  }

  [Symbol.dispose](): void {
    this.#child?.kill("SIGKILL");
  }
}

/** Writes at one daemon until it is stopped. */
async function write(client: Client, name: string, isRunning: () => boolean): Promise<void> {
  for (let i = 0; isRunning(); i++) {
    await pause(WRITE_EVERY_MS);
    // A daemon that is down, or cut off from a majority, refuses writes for a while.
    await client.multi([`INCR total`, ["SET", `${name}:${i % 50}`, `${i}`]]).catch(() => pause(100));
    await client.call(["HSET", name, String(i), "x"]).catch(() => pause(100));
  }
}

test(`run ${seed}: a follower that is killed at random moments misses nothing and repeats nothing`, async (t) => {
  const random = new SeededRandom(seed);
  await using trio = await Trio.make(SMALL_WINDOW);
  await trio.openLinks();
  await trio.startAll();
  await trio.list();
  const folder = mkdtempSync(join(tmpdir(), "dbsync-feed-"));
  try {
    const keyFile = join(folder, "root.pem");
    writeFileSync(keyFile, trio.root.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    // Each start may begin at another daemon: a position is valid at all of them.
    using follower = new Follower(["-k", keyFile, "-s", random.shuffled(trio.servers).join(",")]);
    follower.start("-1h");

    let isRunning = true;
    const writers = [0, 1, 2].map((index) => trio.client([index], { timeout: 3_000 }));
    const writing = writers.map((client, index) => write(client, `w${index}`, () => isRunning));
    for (let kill = 0; kill < KILLS; kill++) {
      const isCut = random.chance(0.5);
      if (isCut) trio.cutOff([random.below(3)]);
      const seen = follower.lines.length;
      if (isCut) await pause(random.below(1_000));
      trio.cutOff([]);
      await trio.until("the follower prints", async () => follower.lines.length > seen);
      await pause(random.below(500));
      await follower.restart("-1h");
    }

    await trio.end(2, "SIGKILL");
    await trio.until("the follower names the member that is down", async () =>
      /nothing becomes final: its member \S+ is not connected/.test(follower.notices),
    );
    const before = follower.lines.length;
    await follower.restart("-1h");
    await trio.start(2);
    await trio.until("the follower continues", async () => follower.lines.length > before);
    isRunning = false;
    await Promise.all(writing);
    for (const client of writers) await client.close();

    await using administrator = trio.client([0], { key: trio.root.privateKey });
    const log = async () => {
      const reply = await administrator.call(["TIMELINE", "LOG", "FROM", "0", "LIMIT", "10000"]);
      const { left, units } = Object.fromEntries(fieldsOf(reply)) as { left: number; units: [] };
      assert.equal(left, 0, "the run is short enough for one answer");
      return units.map((unit) => Object.fromEntries(fieldsOf(unit)));
    };
    let expected: Record<string, unknown>[] = [];
    await trio.until("the follower has printed everything", async () => {
      expected = await log();
      return follower.lines.length >= expected.length;
    });
    const textOf = ({ at, id, index, outcome, reply }: Record<string, unknown>) =>
      `${at} ${id} ${index} ${outcome} ${reply}`;
    assert.deepEqual(
      follower.lines.map((line) => textOf({ ...line })),
      expected.map(textOf),
    );
    t.diagnostic(`${expected.length} units, ${KILLS + 1} kills of the follower`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
