/**
 * One of two daemons, as in the SQL chain of docs/proxy.md, is killed and restarted. The remaining daemon
 * accepts writes all the time, even while the killed daemon returns with writes that it had not sent yet.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ActiveCluster } from "../support/active-cluster.js";
import { amount } from "../support/amount.js";
import { pause } from "../support/pause.js";
import { RedisConnection, textOfValue } from "../support/redis-connection.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { until } from "../support/until.js";

const RETURNS = amount(1, 4);
/** Milliseconds after which the remaining daemon no longer waits for the killed daemon. */
const AWAY_MS = 12_000;

const lineTo = (cluster: ActiveCluster, index: number): Promise<RedisConnection> =>
  RedisConnection.open(cluster.respPort(index));

/** A client that writes to a daemon until it is stopped, and records the refused writes. */
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
    await using cluster = await ActiveCluster.start(2);
    cluster.hold(0, 1, true);
    using other = await lineTo(cluster, 1);
    for (let n = 0; n < 200; n++) await other.value("SET", `own:${n}`, n);

    await cluster.end(1, "SIGKILL");
    cluster.areApart = true;
    cluster.areApart = false;
    cluster.hold(0, 1, false);

    await using writer = new Writer(await lineTo(cluster, 0), "stays");
    await pause(AWAY_MS);
    await cluster.spawn(1);
    await cluster.untilWritable(1);

    const { written } = writer;
    await until("further writes are answered", () => writer.written + writer.refused.length > written + 200);
    assert.ok(writer.written > 0, "the daemon accepts writes");
    assert.deepEqual([...new Set(writer.refused)], [], `${writer.refused.length} writes were refused`);
  });

  test("at random moments, with writes to both", async (context) => {
    const random = new SeededRandom(seed());
    await using cluster = await ActiveCluster.start(2);
    for (let round = 0; round < RETURNS; round++) {
      const killed = random.below(2);
      await using writer = new Writer(await lineTo(cluster, 1 - killed), "stays");
      {
        await using _other = new Writer(await lineTo(cluster, killed), "killed");
        await pause(random.between(300, 1_500));
        await cluster.end(killed, "SIGKILL");
      }
      await pause(random.between(500, AWAY_MS));
      await cluster.spawn(killed);
      await cluster.untilWritable(killed);
      await pause(random.between(0, 1_000));
      context.diagnostic(`${writer.written} writes were accepted`);
      const { refused } = writer;
      assert.deepEqual([...new Set(refused)], [], `${refused.length} writes were refused in round ${round}`);
    }
  });
});
