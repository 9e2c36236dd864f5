/**
 * One of two daemons, as in the SQL chain of docs/proxy.md, is killed and restarted. The remaining daemon
 * accepts writes all the time, even while the killed daemon returns with writes that it had not sent yet.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { amount } from "../support/amount.js";
import { knowsSecret } from "../support/cluster-secret.js";
import { CuttablePort } from "../support/cuttable-port.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { pause } from "../support/pause.js";
import { RedisConnection, textOfValue } from "../support/redis-connection.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { until } from "../support/until.js";

const RETURNS = amount(1, 12);
/** Milliseconds after which the remaining daemon no longer waits for the killed daemon. */
const AWAY_MS = 12_000;

class Pair implements AsyncDisposable {
  readonly folder = new ScratchFolder();
  readonly daemons: DaemonProcess[] = [];
  #ports: number[] = [];
  #resp: number[] = [];
  /** The gates between the daemons, one per direction. */
  readonly links: CuttablePort[] = [];

  static async start(): Promise<Pair> {
    const pair = new Pair();
    for (const _ of [0, 1]) {
      pair.#ports.push(await freePort());
      pair.#resp.push(await freePort());
    }
    for (const index of [0, 1])
      pair.links.push(await CuttablePort.open(() => pair.#ports[1 - index] as number));
    await Promise.all([0, 1].map((index) => pair.launch(index)));
    for (const index of [0, 1]) {
      using line = await pair.line(index);
      await until("a write is acknowledged", async () => (await line.value("SET", "first", "1")) === "OK");
    }
    return pair;
  }

  async launch(index: number): Promise<void> {
    const ports = ["-p", String(this.#ports[index]), "--resp", String(this.#resp[index])];
    const peer = ["--peer", this.links[index]?.address as string, ...knowsSecret];
    this.daemons[index] = await startDaemon([...ports, "--data", `${this.folder.path}/${index}`, ...peer]);
  }

  async kill(index: number): Promise<void> {
    await this.daemons[index]?.[Symbol.asyncDispose]();
  }

  async line(index: number): Promise<RedisConnection> {
    return await RedisConnection.open(this.#resp[index] as number);
  }

  /** Waits until a daemon accepts writes. */
  async takesWrites(index: number): Promise<void> {
    await until(
      "the daemon accepts writes",
      async () => {
        using line = await this.line(index);
        return (await line.value("SET", "probe", "1")) === "OK";
      },
      { mayFail: true },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
    for (const link of this.links) await link[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

/** Writes to a daemon until it is stopped, and records the refused writes. */
class Writer implements AsyncDisposable {
  readonly refused: string[] = [];
  written = 0;
  #over = false;
  readonly #line: RedisConnection;
  readonly #done: Promise<void>;

  constructor(line: RedisConnection, name: string) {
    this.#line = line;
    this.#done = this.#run(name);
  }

  async #run(name: string): Promise<void> {
    while (!this.#over) {
      const answer = await this.#line
        .value("SET", `${name}:${this.written % 50}`, this.written)
        .catch(() => null);
      if (answer === "OK") this.written++;
      else if (answer === null) return;
      else this.refused.push(textOfValue(answer));
      await pause(2);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#done;
    this.#line[Symbol.dispose]();
  }
}

describe("a live daemon accepts writes while its only peer returns", { timeout: 900_000 }, () => {
  test("with writes that it had not sent", async () => {
    await using pair = await Pair.start();
    for (const link of pair.links) link.isHeld = true;
    using other = await pair.line(1);
    for (let n = 0; n < 200; n++) await other.value("SET", `own:${n}`, n);
    await pair.kill(1);
    for (const link of pair.links) link.cut();
    for (const link of pair.links) link.release();
    await using writer = new Writer(await pair.line(0), "stays");
    await pause(AWAY_MS);
    await pair.launch(1);
    await pair.takesWrites(1);
    await pause(1_000);
    assert.ok(writer.written > 0, "the daemon accepts writes");
    assert.deepEqual([...new Set(writer.refused)], [], `${writer.refused.length} writes were refused`);
  });

  test("at random moments, with writes to both", async (context) => {
    const random = new SeededRandom(seed());
    await using pair = await Pair.start();
    for (let round = 0; round < RETURNS; round++) {
      const killed = random.below(2);
      await using writer = new Writer(await pair.line(1 - killed), "stays");
      {
        await using _other = new Writer(await pair.line(killed), "killed");
        await pause(random.between(300, 1_500));
        await pair.kill(killed);
      }
      await pause(random.between(500, AWAY_MS));
      await pair.launch(killed);
      await pair.takesWrites(killed);
      await pause(random.between(0, 1_000));
      context.diagnostic(`${writer.written} writes were accepted`);
      const { refused } = writer;
      assert.deepEqual([...new Set(refused)], [], `${refused.length} writes were refused in round ${round}`);
    }
  });
});
