/** Announces patterns of decided keys, waits until they have begun, and removes them after some time, repeatedly. */
import { pause } from "../../../support/pause.js";
import type { SeededRandom } from "../../../support/seeded-random.js";
import { until } from "../../../support/until.js";
import type { Cluster } from "../../chaos/cluster.js";
import { fieldsOf } from "../../status.js";
import type { Epoch } from "./plain-round.js";

/** The number of patterns at the same time. A beginning takes several rounds, because each fault delays it. */
const PATTERNS = 3;
/** Milliseconds for which a pattern that has begun remains, and those between two attempts. */
const REMAINS_MS: readonly [number, number] = [500, 20_000];
const EVERY_MS = 500;
const CALL_MS = 3_000;
/** Milliseconds in which an order succeeds, also during faults. */
const ORDER_MS = 600_000;

export class PassingPatterns implements AsyncDisposable {
  /** The numbers of patterns that have begun and that were removed. */
  readonly counts = { begun: 0, removed: 0 };
  readonly #epochs = new Set<Epoch>();
  readonly #cluster: Cluster;
  readonly #random: SeededRandom;
  #isOver = false;
  /** The last answers of the daemons to an order and to the question for their patterns. */
  #lastAnswer = "none";
  #lastReport = "none";
  #work: Promise<unknown> = Promise.resolve();

  constructor(cluster: Cluster, random: SeededRandom) {
    this.#cluster = cluster;
    this.#random = random;
  }

  start(): void {
    this.#work = Promise.all(Array.from({ length: PATTERNS }, (_, lane) => this.#run(lane)));
    // The disposal throws what has failed.
    this.#work.catch(() => {});
  }

  /** Returns one of the epochs of patterns that have begun, or null if there is none. */
  epoch(): Epoch | null {
    return this.#epochs.size === 0 ? null : this.#random.oneOf([...this.#epochs]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  /** Announces patterns that remain, and waits until they have begun. */
  async announce(patterns: readonly string[]): Promise<void> {
    const { trio } = this.#cluster;
    const begin = (pattern: string) => trio.until(`${pattern} begins`, () => this.#begin(pattern));
    await Promise.all(patterns.map(begin));
  }

  /** Announces and removes one pattern after the other. */
  async #run(lane: number): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      const prefix = `e${lane}.${number}:`;
      await this.#repeat(() => this.#begin(`${prefix}*`));
      if (this.#isOver) return;

      const epoch: Epoch = { prefix, isOver: false };
      this.#epochs.add(epoch);
      this.counts.begun++;
      await pause(this.#random.between(...REMAINS_MS));
      epoch.isOver = true;
      this.#epochs.delete(epoch);

      // A second order finds no pattern, if the first one has succeeded without an answer.
      await this.#repeat(async () => {
        await this.#order("UNDECIDE", `${prefix}*`);
        const known = await this.#patterns();
        return known.length > 0 && !known.some(({ all }) => all.includes(`'${prefix}*'`));
      });
      if (!this.#isOver) this.counts.removed++;
    }
  }

  async #begin(pattern: string): Promise<boolean> {
    await this.#order("DECIDE", pattern);
    return (await this.#patterns()).some(
      ({ all, waiting }) => all.includes(`'${pattern}'`) && !waiting.includes(`'${pattern}'`),
    );
  }

  async #order(word: "DECIDE" | "UNDECIDE", pattern: string): Promise<void> {
    const { trio } = this.#cluster;
    await using client = trio.client(this.#cluster.members, { key: trio.root.privateKey, timeout: CALL_MS });
    this.#lastAnswer = await client
      .call(["CLUSTER", word, pattern], { policy: "first" })
      .then(String, String)
      .then((answer) => `${word} ${pattern}: ${answer}`);
  }

  /** Returns the patterns that daemons know, and those of them that have not begun. */
  async #patterns(): Promise<{ readonly all: string; readonly waiting: string }[]> {
    const { trio, members } = this.#cluster;
    const reports = await Promise.allSettled(
      members.map(async (index) => {
        await using client = trio.client([index], { key: trio.root.privateKey, timeout: CALL_MS });
        const fields = fieldsOf(await client.call(["CLUSTER", "MEMBERS"]));
        const text = (name: string) => String(fields.get(name) ?? "");
        return { all: text("decided-patterns"), waiting: text("patterns-waiting") };
      }),
    );
    this.#lastReport = reports
      .map(
        (one, at) =>
          `daemon ${members[at]}: ${one.status === "fulfilled" ? JSON.stringify(one.value) : one.reason}`,
      )
      .join("; ");
    return reports.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  }

  /** Repeats a step until it succeeds or the rounds are over. */
  async #repeat(step: () => Promise<boolean>): Promise<void> {
    const isDone = async () => this.#isOver || (await step().catch(() => false));
    const what = () =>
      `the order on a pattern succeeds (${this.#lastAnswer}; patterns of ${this.#lastReport})`;
    await until(what, isDone, { ms: ORDER_MS, pause: () => pause(EVERY_MS) });
  }
}
