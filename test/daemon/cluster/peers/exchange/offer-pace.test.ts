/**
 * Tests how long entries wait before they are offered to a member. They wait longer while the member requests none,
 * and do not wait after it has requested one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OfferPace } from "../../../../../daemon/cluster/peers/exchange/offer-pace.js";
import { entryOf } from "../entries.js";
import { entriesOf, World } from "../support.js";

const TICK_MS = 25;
const TICKS_MAX = 8;

/** Runs the ticks `from` to `to`. @returns for each offer, the ticks whose entries it contains */
function offersOf(pace: OfferPace, from: number, to: number): number[][] {
  const offers: number[][] = [];
  for (let tick = from; tick <= to; tick++) {
    const ticks = pace.ticksToOffer(tick);
    if (ticks > 0) offers.push(Array.from({ length: ticks }, (_, i) => tick - ticks + i));
    if (ticks > 0) pace.offered(tick, false);
  }
  return offers;
}

test("while a member requests nothing, offers become rarer, and still contain all entries", () => {
  const pace = new OfferPace(0, TICKS_MAX);
  const offers = offersOf(pace, 1, 60);
  assert.deepEqual(offers.map(({ length }) => length).slice(0, 6), [1, 1, 2, 4, 8, 8]);
  const all = offers.flat();
  assert.deepEqual(
    all,
    all.map((_, i) => i + 1),
  );
});

test("after a member has requested an entry, the next offer follows immediately", () => {
  const pace = new OfferPace(0, TICKS_MAX);
  offersOf(pace, 1, 60);
  pace.wanted();
  assert.ok(pace.ticksToOffer(61) > 0);
  assert.equal(offersOf(pace, 61, 62).flat().at(-1), 61);
});

test("offers do not become rarer if the member is known to have their entries", () => {
  const pace = new OfferPace(0, TICKS_MAX);
  for (let tick = 2; tick < 100; tick++) {
    assert.equal(pace.ticksToOffer(tick), 1);
    pace.offered(tick, true);
  }
});

test("if a client sends its entries to all daemons, there are few offers, and an entry sent to one daemon soon reaches all", () => {
  const world = new World();
  const nodes = ["a", "b", "c"].map((name, i, names) => world.add(name, { peers: names.slice(0, i) }));
  world.run(500);
  const count = 400;
  for (let i = 0; i < count; i++) {
    const entry = entryOf(500 + i * TICK_MS);
    for (const node of nodes) node.timeline.accept(entry);
    world.run(TICK_MS);
  }
  // Two daemons may both offer immediately. With offers in every tick there would be at least 3 for each entry.
  assert.ok(world.countOf("offer") < count, `${world.countOf("offer")} offers`);
  assert.equal(world.countOf("want") + world.countOf("push"), 0);
  nodes[0]?.timeline.accept(entryOf(500 + count * TICK_MS));
  world.run((TICKS_MAX + 4) * TICK_MS);
  for (const node of nodes) assert.equal(entriesOf(node), count + 1);
});
