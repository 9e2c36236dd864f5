/** The unique numbers of examples/recipes, and why they are not INCR's replies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { placeOf, UniqueNumbers } from "../../../examples/recipes/numbers.js";
import { EnvelopeClient } from "../../support/envelope-client.js";
import { CutTrio, SMALL_WINDOW } from "./cut-trio.js";

/** Numbers for each program: some blocks of 1,000. */
const NUMBERS = 2500;

test("INCR gives a number twice, numbers from blocks are unique, with daemons that do not hear of each other and one that is killed", async () => {
  await using cut = await CutTrio.start();
  cut.areApart = true;
  const clients = await Promise.all(
    [
      [0, 1],
      [1, 2],
      [2, 0],
    ].map((reached) => cut.reaching(reached)),
  );
  const nearest = [await cut.reaching([0]), await cut.reaching([1])];
  assert.deepEqual(await Promise.all(nearest.map((client) => client.call("INCR number"))), [1, 1]);
  const given: number[] = [];
  const take = async (count: number) => {
    await Promise.all(
      clients.map(async (client) => {
        const numbers = new UniqueNumbers(client, "order");
        // A caller that temporarily reaches one daemon alone gets an error, and tries again.
        while (count-- > 0) given.push(await numbers.next().catch(() => -1));
      }),
    );
  };
  await take(clients.length * NUMBERS);
  await cut.heal();
  await cut.kill(1);
  const [first] = clients as [(typeof clients)[0]];
  await assert.rejects(new UniqueNumbers(first, "order").next(), { code: "too-few-answers" });
  const whole = new UniqueNumbers(cut.client(), "order");
  for (let i = 0; i < NUMBERS; i++) given.push(await whole.next());
  const numbers = given.filter((number) => number >= 0);
  assert.equal(new Set(numbers).size, numbers.length);
  assert.ok(numbers.length >= clients.length * NUMBERS);
});

test("places have no gaps and are final: what was earlier and came late, and a daemon that was killed, are waited for", async () => {
  await using cut = await CutTrio.start(SMALL_WINDOW);
  const { trio } = cut;
  cut.areApart = true;
  using straggler = await EnvelopeClient.open(trio.ports[2] as number, trio.app);
  const { client } = await cut.cuttable();
  assert.equal(
    (await straggler.ask([["RPUSH", "orders", "early"]], { at: Date.now() - 500 })).kind,
    "result",
  );
  const ids = ["a", "b", "c", "d"];
  const told: number[] = [];
  const asked = Promise.allSettled(
    ids.map(async (id) => {
      const place = await placeOf(client, "orders", id);
      told.push(place);
      return place;
    }),
  );
  const near = await cut.reaching([0]);
  await trio.until("all are written", async () => (await near.call("LLEN orders")) === ids.length);
  assert.equal(await near.call("LPOS orders a"), 0, "so it seems there");
  await cut.kill(2);
  assert.deepEqual(told, []);
  cut.areApart = false;
  await cut.restart(2);
  const places = await asked;
  assert.deepEqual(
    places,
    [2, 3, 4, 5].map((value) => ({ status: "fulfilled", value })),
  );
  const others = await Promise.all([placeOf(client, "orders", "a"), placeOf(cut.client(), "orders", "a")]);
  assert.deepEqual(others, [2, 2]);
  assert.equal(await client.call("LLEN orders"), 5);
});
