/**
 * A fault in one daemon's memory raises the alarm in all of them within a minute, and the alarm names the key.
 * Real daemons run in this process; the test causes the fault in an entry that it has recorded when a store made
 * it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type Entry, Keyspace } from "../../store/keyspace/keyspace.js";
import { makeFolder, type RunningReplica, startReplica, until } from "../daemon/replicas.js";
import { skipUnlessFull } from "../support/amount.js";
import { knowsSecret } from "../support/cluster-secret.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";

const KEY = "the price";
const app = makeKeyPair("rsa");
const root = makeKeyPair();
/** Entries of the key, in the order in which stores made them. */
const made: Entry[] = [];

const { add } = Keyspace.prototype;
Keyspace.prototype.add = function noted(this: Keyspace, ...given: Parameters<Keyspace["add"]>): Entry {
  const entry = add.apply(this, given);
  if (entry.key === KEY) made.push(entry);
  return entry;
};

test("what one daemon's memory holds otherwise is named by all, and no longer once that one was restarted", {
  skip: skipUnlessFull,
}, async (t) => {
  using folder = makeFolder();
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const start = (port: number) => {
    const peers = ports
      .filter((other) => other !== port)
      .flatMap((other) => ["--peer", `127.0.0.1:${other}`]);
    const keys = ["-s", app.file, "--root-key", root.file, ...knowsSecret];
    const data = ["--data", join(folder.path, String(port))];
    return startReplica({ args: [...keys, ...data, "-p", String(port), ...peers] });
  };
  const running = new Map<number, RunningReplica>();
  try {
    for (const port of ports) running.set(port, await start(port));
    const all = () => [...running.values()];
    await until("all are live", () => all().every(({ daemon }) => daemon.health.state === "live"));
    using client = await EnvelopeClient.open(ports[0] as number, app);
    await client.replies([["SET", KEY, "10"]]);
    await until("all have it", () => made.length === ports.length);
    const beganAt = performance.now();
    (made[1] as Entry).value = "11";
    const told = ({ log }: RunningReplica) =>
      log.filter(({ key, msg }) => key === KEY && /differs/.test(msg));
    await until("all name the key", () => all().every((one) => told(one).length > 0));
    const seconds = (performance.now() - beganAt) / 1000;
    const own = all().filter((one) => told(one).some(({ msg }) => /this daemon's state differs/.test(msg)));
    assert.equal(own.length, 1, "one says so of itself");
    t.diagnostic(`named after ${seconds.toFixed(0)} s`);

    const port = (own[0] as RunningReplica).port;
    await (own[0] as RunningReplica).daemon.stop();
    running.set(port, await start(port));
    const others = all().filter((one) => one.port !== port);
    // It is disconnected, or has the same state again: the finding is resolved.
    await until("the others see it well", () =>
      others.every(({ log }) =>
        log.some(({ key, msg }) => key === KEY && /no connected member has a different value/.test(msg)),
      ),
    );
  } finally {
    await Promise.all([...running.values()].map(({ daemon }) => daemon.stop()));
  }
});
