/** A lock that one client holds, extends and releases while another waits. Argument: the port. */
import assert from "node:assert/strict";
import { Redis } from "ioredis";
import Redlock from "redlock";

const redis = new Redis({ port: Number(process.argv[2]) });
const patient = new Redlock([redis], { retryCount: 5000, retryDelay: 20 });
const hasty = new Redlock([redis], { retryCount: 0 });

/** The duration of a lock in milliseconds. It is longer than any client holds a lock, even on a busy machine. */
const LEASE_MS = 100_000;
const held = await patient.lock("locks:account", LEASE_MS);
await assert.rejects(hasty.lock("locks:account", 1000), { name: "LockError" });
const longer = await held.extend(LEASE_MS);
const next = patient.lock("locks:account", LEASE_MS);
await longer.unlock();
await (await next).unlock();
assert.equal(await redis.exists("locks:account"), 0);
await assert.rejects(longer.unlock(), { name: "LockError" });

let among = 0;
await Promise.all(
  Array.from({ length: 10 }, async () => {
    const lock = await patient.lock("locks:counter", LEASE_MS);
    const seen = Number(await redis.get("counter"));
    assert.equal(++among, 1);
    await redis.set("counter", seen + 1);
    among--;
    await lock.unlock();
  }),
);
assert.equal(await redis.get("counter"), "10");
redis.disconnect();
