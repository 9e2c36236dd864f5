/** Tests that a round reports no problem of a history whose last outcomes are not known. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { double } from "../../../support/double.js";
import type { SeededRandom } from "../../../support/seeded-random.js";
import { until } from "../../../support/until.js";
import type { Ended, PlainClient } from "./clients.js";
import { type PlainCommand, REDIS } from "./commands.js";
import { PlainRound } from "./plain-round.js";

const random = double<SeededRandom>({
  oneOf: <Item>(items: readonly Item[]) => items[0] as Item,
  chance: () => false,
  below: () => 0,
});

/** A client that sends one command, which the test answers. */
class OneCommand implements PlainClient {
  readonly name: string;
  readonly seat = 0;
  readonly kinds = ["list"];
  readonly #draw: (key: string) => PlainCommand;
  readonly #isClaim: boolean;
  #isDrawn = false;
  /** Answers the command; null: it is not sent, or it is answered. */
  end: ((ended: Ended) => void) | null = null;

  constructor(name: string, draw: (key: string) => PlainCommand, isClaim = false) {
    this.name = name;
    this.#draw = draw;
    this.#isClaim = isClaim;
  }

  async draw({ key }: { readonly key: string }) {
    if (this.#isDrawn) return null;
    this.#isDrawn = true;
    const send = () =>
      new Promise<Ended>((resolve) => {
        this.end = (ended) => {
          this.end = null;
          resolve(ended);
        };
      });
    return { meaning: this.#draw(key), isClaim: this.#isClaim, send };
  }

  [Symbol.dispose](): void {}
}

test("an effect that another client has seen is not removed with the rest of an abandoned key", async () => {
  const round = new PlainRound("x", random, { epoch: () => null, folderOf: () => 0, reasons: new Map() });
  const [push, , pop, , , , , read] = REDIS["list"] ?? assert.fail();
  const of = (draw: typeof push, token: string) => (key: string) =>
    (draw ?? assert.fail())(key, token, random);
  const pushing = new OneCommand("one", of(push, "t"));
  const reading = new OneCommand("two", of(read, ""));
  const taking = new OneCommand("three", of(pop, ""), true);

  const runs: Promise<void>[] = [];
  const send = async (client: OneCommand) => {
    runs.push(round.run(client));
    await until(`${client.name} has sent`, () => client.end !== null);
  };
  const answer = async (client: OneCommand, ended: Ended) => {
    const { answer: answers, unknown } = round.counts;
    client.end?.(ended);
    await until(
      `that of ${client.name} is recorded`,
      () => round.counts.answer + round.counts.unknown > answers + unknown,
    );
  };

  await send(pushing);
  await send(reading);
  await answer(reading, { kind: "answer", answer: [["t"], 0] });
  await send(taking);
  await answer(taking, { kind: "unknown", reason: "the connection is lost" });
  await answer(pushing, { kind: "answer", answer: 1 });

  round.isOver = true;
  await Promise.all(runs);
  assert.deepEqual(round.problems(), []);
});
