/** Tests edge cases of geo commands. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { findCommand } from "../../../../../../daemon/store/command-table.js";
import { touchesOf } from "../../../../../../daemon/store/rows/key-spec.js";
import { StoreUnderTest } from "../../../../../../test/daemon/store/commands/store-under-test.js";
import { amount } from "../../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../../test/support/seeded-random.js";
import { distance, within } from "../../../../store/commands/geo/geo-area.js";
import { type GeoPosition, positionOf, scoreOf } from "../../../../store/commands/geo/geohash.js";

const PLACES = 2000;

const seed = seedOfRun();
let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

test("GEOADD changes nothing if the member is already at the position, or if the position is invalid", () => {
  store.run("GEOADD g 13.361389 38.115556 a");
  assert.equal(store.changes("GEOADD g 13.361389 38.115556 a"), 0);
  assert.equal(store.changes("GEOADD g 1 1 b 200 1 c"), 0);
  assert.equal(store.run("ZRANGE g 0 -1"), '["a"]');
});

test("GEOPOS writes longitude and latitude with 17 decimal places for protocols without doubles", () => {
  store.run("GEOADD g 13.361389 38.115556 a");
  const positions = store.reply("GEOPOS g a");
  assert.ok(positions.kind === "array");
  assert.deepEqual(positions.items[0], {
    kind: "array",
    items: [
      { kind: "double", value: 13.361389338970184, text: "13.36138933897018433" },
      { kind: "double", value: 38.1155563954963, text: "38.11555639549629859" },
    ],
  });
});

test("GEORADIUS may write each key that follows STORE or STOREDIST", () => {
  const keys = (line: string) => {
    const argv = line.split(" ");
    return touchesOf(findCommand(argv[0]!)!.keys, argv).map(({ key, access }) => `${access} ${key}`);
  };
  assert.deepEqual(keys("GEORADIUS g 1 2 3 m ASC"), ["read g"]);
  assert.deepEqual(keys("GEORADIUS g 1 2 3 m store x STOREDIST y"), ["read g", "write x", "write y"]);
  assert.deepEqual(keys("GEORADIUSBYMEMBER g m 3 m StoreDist x"), ["read g", "write x"]);
  assert.deepEqual(keys("GEORADIUS_RO g 1 2 3 m STORE x"), ["read g"]);
});

test("a search without results removes the key in which it would store them, and is undone", () => {
  store.run("GEOADD g 10 10 a");
  store.run("SET x text");
  assert.ok(store.isUndone("GEOSEARCHSTORE x g FROMLONLAT 20 20 BYRADIUS 1 m"));
  assert.equal(store.run("GEORADIUS absent 0 0 1 m STORE x"), ":0");
  assert.equal(store.run("EXISTS x"), ":0");
});

test("ANY stops at the first members found, and COUNT alone selects the nearest members", () => {
  store.run("GEOADD g 10 10 far 10.001 10 near 10.0005 10 nearer");
  assert.equal(store.run("GEOSEARCH g FROMLONLAT 10.0004 10 BYRADIUS 1 km COUNT 1"), '["nearer"]');
  assert.match(store.run("GEOSEARCH g FROMLONLAT 10.0004 10 BYRADIUS 1 km COUNT 1 ANY"), /^\["\w+"\]$/);
});

test(`a search finds what a check of every member finds (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  const anywhere = (): GeoPosition => ({
    longitude: (random.below(2 ** 30) / 2 ** 30) * 360 - 180,
    latitude: (random.below(2 ** 30) / 2 ** 30) * 130 - 65,
  });

  const positions = new Map<string, GeoPosition>();
  for (let i = 0; i < PLACES; i++) {
    const position = anywhere();
    store.run(`GEOADD g ${position.longitude} ${position.latitude} m${i}`);
    positions.set(`m${i}`, positionOf(scoreOf(position)));
  }

  for (let search = 0; search < amount(30, 100); search++) {
    // Centres near the date line are avoided: Redis does not search on the other side of its map.
    const centre = { longitude: anywhere().longitude / 2, latitude: anywhere().latitude / 2 };
    const kilometres = 10 + random.below(2000);
    const reply = store.run(
      `GEOSEARCH g FROMLONLAT ${centre.longitude} ${centre.latitude} BYRADIUS ${kilometres} km ASC`,
    );

    const near = [...positions]
      .map(([member, position]) => [member, distance(centre, position)] as const)
      .filter(([, metres]) => metres <= kilometres * 1000)
      .sort(([, one], [, other]) => one - other)
      .map(([member]) => `"${member}"`);
    assert.equal(reply, `[${near.join(" ")}]`);
  }
});

test("GEORADIUS stores positions for STORE and distances for STOREDIST", () => {
  store.run("GEOADD g 10 10 a");
  store.run("GEORADIUS g 10 10 1 m STORE x");
  store.run("GEORADIUS g 10 10 1 m STOREDIST y");
  assert.equal(store.run("ZSCORE x a"), store.run("ZSCORE g a"));
  assert.notEqual(store.run("ZSCORE y a"), store.run("ZSCORE g a"));
  assert.ok(Number(/[\d.e-]+/.exec(store.run("ZSCORE y a"))?.[0]) < 1, store.run("ZSCORE y a"));
});

test("a circle contains the positions at exactly its radius", () => {
  const score = scoreOf({ longitude: 10, latitude: 10 });
  const centre = positionOf(score);
  const there = scoreOf({ longitude: 11, latitude: 10 });
  const radius = distance(centre, positionOf(there));
  for (const [metres, isInside] of [
    [radius, true],
    [radius * 0.999, false],
  ] as const)
    assert.equal(within({ kind: "circle", radius: metres }, centre, there) !== undefined, isInside);
});
