/**
 * Tests that a fault in the memory of one daemon raises an alarm on all daemons within a minute, and that the alarm
 * names the key. Real daemons run in this process. The test collects the values of the key when the stores create them,
 * and later changes one of these values.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type KeyEntry, Keyspace } from "../../daemon/store/keyspace/keyspace.js";
import { makeFolder, type RunningReplica, startReplica } from "../daemon/program/replicas.js";
import { skipUnlessFull } from "../support/amount.js";
import { peerArgs } from "../support/cluster-secret.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { until } from "../support/until.js";

const KEY = "the price";
const app = makeKeyPair("rsa");
const root = makeKeyPair();
/** The values of the key, in the order in which stores created them. */
const createdEntries: KeyEntry[] = [];

const { add } = Keyspace.prototype;
Keyspace.prototype.add = function noted(this: Keyspace, ...given: Parameters<Keyspace["add"]>): KeyEntry {
  const entry = add.apply(this, given);
  if (entry.key === KEY) createdEntries.push(entry);
  return entry;
};

test("all daemons report a value that differs on one daemon, until that daemon is restarted", {
  skip: skipUnlessFull,
}, async (t) => {
  using folder = makeFolder();
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const start = (port: number) => {
    const keys = ["-s", app.file, "--root-key", root.file];
    const data = ["--data", join(folder.path, String(port))];
    return startReplica({ args: [...keys, ...data, ...peerArgs(ports, ports.indexOf(port))] });
  };
  const running = new Map<number, RunningReplica>();
  try {
    for (const port of ports) running.set(port, await start(port));
    const all = () => [...running.values()];
    await until("all daemons are live", () => all().every(({ daemon }) => daemon.health.state === "live"));
    using client = await EnvelopeClient.open(ports[0] as number, app);
    await client.replies([["SET", KEY, "10"]]);
    await until("all daemons have the key", () => createdEntries.length === ports.length);
    const beganAt = performance.now();
    (createdEntries[1] as KeyEntry).value = "11";
    const findings = ({ log }: RunningReplica) =>
      log.filter(({ key, msg }) => key === KEY && /differs/.test(msg));
    await until("all daemons report the key", () => all().every((one) => findings(one).length > 0));
    const seconds = (performance.now() - beganAt) / 1000;
    const differing = all().filter((one) =>
      findings(one).some(({ msg }) => /this daemon's state differs/.test(msg)),
    );
    assert.equal(differing.length, 1, "exactly one daemon reports that its own state differs");
    t.diagnostic(`named after ${seconds.toFixed(0)} s`);

    const port = (differing[0] as RunningReplica).port;
    await (differing[0] as RunningReplica).daemon.stop();
    running.set(port, await start(port));
    const others = all().filter((one) => one.port !== port);
    // The finding is resolved both while the daemon is disconnected and once it has the same state again.
    await until("the other daemons report that the finding is resolved", () =>
      others.every(({ log }) =>
        log.some(({ key, msg }) => key === KEY && /no connected member has a different value/.test(msg)),
      ),
    );
  } finally {
    await Promise.all([...running.values()].map(({ daemon }) => daemon.stop()));
  }
});
