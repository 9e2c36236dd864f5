import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeyChangeObservers } from "../../../../daemon/engine/backends/key-change-observers.js";
import { double } from "../../../../test/support/double.js";
import { Clients, type RedisClient } from "../../session/clients.js";
import { TrackingTable } from "../../session/tracking-table.js";

test("a closed connection is released, although the keys that it has read still refer to it", () => {
  const table = new TrackingTable(
    double<KeyChangeObservers>({ observeKeys() {}, removeObserver() {} }),
    new Clients(),
  );
  const client = {} as RedisClient;
  table.begin(client, {}, { prefixes: null, choice: "all", noLoop: false, redirect: 0 });
  const tracker = table.of(client);
  table.disconnected(client);
  assert.equal(tracker?.client, null);
  assert.equal(tracker.by, null);
  tracker.invalidate(["k"]);
});
