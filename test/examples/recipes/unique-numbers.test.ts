/** Tests the unique numbers of examples/recipes, and shows why they are not the replies of INCR. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { positionOf, UniqueNumbers } from "../../../examples/recipes/unique-numbers.js";
import { EnvelopeClient } from "../../support/envelope-client.js";
import { CutTrio, SMALL_WINDOW } from "./cut-trio.js";

/** Each program requests this many numbers, which come from several blocks of 1,000. */
const NUMBERS = 2500;

test("INCR returns a number twice, but numbers from blocks are unique, while daemons are disconnected and one is killed", async () => {
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

  const numbersReturned: number[] = [];
  const requestNumbers = async (count: number) => {
    await Promise.all(
      clients.map(async (client) => {
        const numbers = new UniqueNumbers(client, "order");
        // A caller that temporarily reaches only one daemon receives an error and tries again.
        while (count-- > 0) numbersReturned.push(await numbers.next().catch(() => -1));
      }),
    );
  };

  await requestNumbers(clients.length * NUMBERS);
  await cut.heal();
  await cut.kill(1);

  const [first] = clients as [(typeof clients)[0]];
  await assert.rejects(new UniqueNumbers(first, "order").next(), { code: "too-few-answers" });
  const allReachable = new UniqueNumbers(cut.client(), "order");
  for (let i = 0; i < NUMBERS; i++) numbersReturned.push(await allReachable.next());

  const numbers = numbersReturned.filter((number) => number >= 0);
  assert.equal(new Set(numbers).size, numbers.length);
  assert.ok(numbers.length >= clients.length * NUMBERS);
});

test("positions have no gaps and are final: the recipe waits for late entries and for a killed daemon", async () => {
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
  const resolvedEarly: number[] = [];
  const pendingPlaces = Promise.allSettled(
    ids.map(async (id) => {
      const place = await positionOf(client, "orders", id);
      resolvedEarly.push(place);
      return place;
    }),
  );

  const near = await cut.reaching([0]);
  await trio.until("all orders are written", async () => (await near.call("LLEN orders")) === ids.length);
  assert.equal(await near.call("LPOS orders a"), 0, "on this daemon it seems to be the first one");

  await cut.kill(2);
  assert.deepEqual(resolvedEarly, []);
  cut.areApart = false;
  await cut.restart(2);

  const places = await pendingPlaces;
  assert.deepEqual(
    places,
    [2, 3, 4, 5].map((value) => ({ status: "fulfilled", value })),
  );

  const others = await Promise.all([
    positionOf(client, "orders", "a"),
    positionOf(cut.client(), "orders", "a"),
  ]);
  assert.deepEqual(others, [2, 2]);
  assert.equal(await client.call("LLEN orders"), 5);
});
