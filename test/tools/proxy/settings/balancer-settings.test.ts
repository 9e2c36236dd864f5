/** Tests that a balancer's flags take precedence over the file, and that flags and file together must name servers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StartError } from "../../../../daemon/net/process/service.js";
import { withFlags } from "../../../../tools/proxy/settings/balancer-settings.js";
import { readOriginalConfig } from "../../../../tools/proxy/settings/original-config.js";

const file = (roles: readonly string[], role: string) =>
  readOriginalConfig(
    JSON.stringify({
      instances: [
        { id: "m1", port: 3948 },
        { id: "r1", port: 3950, role },
      ],
      routing: { reads: { includeRoles: roles } },
    }),
    "config.json",
  );

test("servers on the command line replace the file's servers, and the file's other rules remain", () => {
  const { servers, routing } = withFlags(file(["MASTER"], "REPLICA"), ["a=127.0.0.1:4000", "[::1]"], {});
  assert.deepEqual(
    servers.map(({ id, serverAddress }) => [id, serverAddress.port]),
    [
      ["a", 4000],
      ["[::1]", 3948],
    ],
  );
  assert.deepEqual(routing.readRoles, ["MASTER"]);
});

test("a port without a host is refused", () => {
  const meant = { message: /^"1111" is a port without a host\. .* use 127\.0\.0\.1:1111\.$/ };
  for (const serverAddress of ["1111", "a=1111", "sql://1111"])
    assert.throws(() => withFlags(null, [serverAddress], {}), meant);
});

test("a configuration without a server for reads is refused", () => {
  assert.equal(withFlags(file(["REPLICA"], "REPLICA"), [], {}).servers.length, 2);
  const none = {
    name: StartError.name,
    message: /^Reads are sent to servers with the role REPLICA, and there is none/,
  };
  assert.throws(() => withFlags(file(["REPLICA"], "MASTER"), [], {}), none);
  assert.throws(() => withFlags(file(["REPLICA"], "REPLICA"), ["127.0.0.1:3948"], {}), none);
});
