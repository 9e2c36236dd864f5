import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../../../listeners/resp/session/clients.js";
import { TrackingTable } from "../../../../listeners/resp/session/tracking-table.js";

test("a connection that has gone is held by none of the keys that it has read", () => {
  const table = new TrackingTable({ hearKeys() {}, forget() {} }, () => undefined);
  const client = {} as Client;
  table.begin(client, {}, { prefixes: null, choice: "all", noLoop: false, redirect: 0 });
  const tracker = table.of(client);
  table.gone(client);
  assert.equal(tracker?.client, null);
  assert.equal(tracker.by, null);
  tracker.tell(["k"]);
});
