/** Tests the original's config.json, unchanged, and invalid files. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StartError } from "../../../../daemon/net/process/service.js";
import { DEFAULT_ROUTING } from "../../../../tools/proxy/settings/balancer-settings.js";
import { readOriginalConfig } from "../../../../tools/proxy/settings/original-config.js";

/** A configuration like the original's, with some settings that our proxy ignores. */
const CONFIG = {
  configVersion: 1,
  loadBalancer: { listenHost: "127.0.0.1", listenPort: 3949 },
  instances: [
    { id: "m1", role: "MASTER", host: "127.0.0.1", port: 3948, dataDirectory: "data/m1" },
    { id: "m2", role: "MASTER", host: "localhost", port: 3950, dataDirectory: "data/m2" },
    { id: "r1", role: "REPLICA", host: "::1", port: 3952, dataDirectory: "data/r1" },
  ],
  routing: {
    reads: { strategy: "ROUND_ROBIN", includeRoles: ["MASTER", "REPLICA"] },
    writes: { mode: "MULTI_PRIMARY", partition: "DB_OBJECT", hash: "RENDEZVOUS" },
  },
  replication: { type: "STATEMENT", intervalSeconds: 5 },
  note: "unknown members are accepted",
};

const read = (config: unknown) => readOriginalConfig(JSON.stringify(config), "config.json");

test("the proxy accepts the original's file, and applies settings that the original ignored", () => {
  const settings = read(CONFIG);
  assert.deepEqual(settings.listen, { address: "127.0.0.1", port: 3949 });
  assert.deepEqual(
    settings.servers.map(({ id, role, serverAddress }) => [
      id,
      role,
      serverAddress.host,
      serverAddress.port,
      serverAddress.text,
    ]),
    [
      ["m1", "MASTER", "127.0.0.1", 3948, "127.0.0.1:3948"],
      ["m2", "MASTER", "localhost", 3950, "localhost:3950"],
      ["r1", "REPLICA", "::1", 3952, "[::1]:3952"],
    ],
  );
  assert.deepEqual(settings.routing, { ...DEFAULT_ROUTING, partition: "object" });
  assert.equal(settings.replicates, true);
});

test("settings that are missing from a file have their defaults", () => {
  const settings = read({ instances: [{ port: 3948 }] });
  assert.deepEqual(settings.listen, { address: "127.0.0.1", port: 3949 });
  assert.deepEqual(settings.routing, DEFAULT_ROUTING);
  assert.equal(settings.servers[0]?.id, "127.0.0.1:3948");
  assert.equal(settings.replicates, false);
  const routing = {
    reads: { strategy: "rendezvous" },
    writes: { mode: "SINGLE_PRIMARY", hash: "RENDEZVOUS_FNV1A" },
  };
  const { reads, writes, hash, partition } = read({ ...CONFIG, routing }).routing;
  assert.deepEqual(
    [reads, writes, hash, partition],
    ["RENDEZVOUS", "SINGLE_PRIMARY", "original", "database"],
  );
  assert.equal(read({ ...CONFIG, replication: { type: "none" } }).replicates, false);
});

test("an error names the file, the member and the expected value", () => {
  const [first] = CONFIG.instances;
  for (const [config, told] of [
    [{ ...CONFIG, instances: [] }, /config\.json: instances must be a list of servers/],
    [{ ...CONFIG, instances: [first, first] }, /servers with different ids/],
    [{ ...CONFIG, instances: [{ ...first, role: "REPLICA" }] }, /role MASTER/],
    [
      { ...CONFIG, instances: [{ ...first, role: "BOSS" }] },
      /instances\[0\]\.role must be MASTER or REPLICA, not "BOSS"/,
    ],
    [{ ...CONFIG, instances: [{ ...first, port: 70000 }] }, /instances\[0\]\.port must be a port, not 70000/],
    [{ ...CONFIG, instances: [{ ...first, host: "a b" }] }, /instances\[0\]\.host must be a host, not "a b"/],
    [
      { ...CONFIG, loadBalancer: { listenHost: "everywhere" } },
      /loadBalancer\.listenHost must be an IP address/,
    ],
    [{ ...CONFIG, loadBalancer: [] }, /loadBalancer must be an object, not \[\]/],
    [{ ...CONFIG, routing: { reads: { strategy: 1 } } }, /routing\.reads\.strategy must be a text, not 1/],
    [
      { ...CONFIG, routing: { writes: { mode: "ALL" } } },
      /routing\.writes\.mode must be MULTI_PRIMARY or SINGLE_PRIMARY/,
    ],
  ] as const)
    assert.throws(
      () => read(config),
      (problem) => problem instanceof StartError && problem.exitCode === 2 && told.test(problem.message),
      String(told),
    );
  assert.throws(() => readOriginalConfig("{", "config.json"), /config\.json is not JSON/);
});
