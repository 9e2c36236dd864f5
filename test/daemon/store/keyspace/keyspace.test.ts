/** Compares the count of expired keys with a scan of all keys. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Keyspace, NO_EXPIRY } from "../../../../daemon/store/keyspace/keyspace.js";
import { seed } from "../../../support/seed.js";
import { SeededRandom } from "../../../support/seeded-random.js";

test("the count of expired keys equals that of a scan, whatever changes", () => {
  const random = new SeededRandom(seed(), 0);
  const keyspace = new Keyspace();
  let now = 1000;
  const walked = () => keyspace.entries.filter(({ expire }) => expire !== NO_EXPIRY && expire < now).length;
  for (let step = 0; step < 20_000; step++) {
    const key = `k${random.below(60)}`;
    const expire = now - 20 + random.below(60);
    const entry = keyspace.find(key);

    switch (random.below(8)) {
      case 0:
        keyspace.delete(key);
        break;
      case 1:
        if (entry !== undefined) keyspace.setExpire(entry, NO_EXPIRY);
        break;
      case 2:
        now += random.below(10);
        break;
      case 3:
        keyspace.lookForExpired(now, random.below(4));
        break;
      case 4:
        keyspace.dropExpired(now - 30, random.below(10));
        break;
      case 5:
        assert.equal(keyspace.expired(now), walked(), `step ${step}`);
        break;
      default:
        keyspace.set(key, "v", random.below(3) === 0 ? NO_EXPIRY : expire, "");
    }
  }

  for (let n = 0; n < 60; n++) keyspace.delete(`k${n}`);
  assert.equal(keyspace.expired(now), 0);
});

test("expired keys are found and dropped first, whether they were counted or not", () => {
  const keyspace = new Keyspace();
  for (const [key, expire] of [
    ["late", 30],
    ["early", 10],
    ["middle", 20],
  ] as const)
    keyspace.set(key, "v", expire, "");
  assert.equal(keyspace.expired(21), 2);
  assert.equal(keyspace.firstToExpire()?.key, "early");
  assert.equal(keyspace.dropExpired(15, 10), 1);
  assert.equal(keyspace.expired(21), 1);
  assert.equal(keyspace.firstToExpire()?.key, "middle");
  assert.equal(keyspace.dropExpired(100, 10), 2);
  assert.equal(keyspace.expired(100), 0);
});
