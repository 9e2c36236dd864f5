/** Tests that an error in the code that parses requests closes the connection that caused it, and no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemcachedParser } from "../../faces/memcached/bytes/memcached-requests.js";
import { ask } from "../../faces/memcached/test/memcached-lines.js";
import { makeFolder, startReplica } from "../daemon/program/replicas.js";
import { RawClient } from "../support/raw-client.js";

for (const method of ["push", "next"] as const)
  test(`an error in ${method} of a parser ends its own connection`, async (context) => {
    using folder = makeFolder();
    await using replica = await startReplica({ args: ["--memcached", "0", "--data", folder.path] });
    const port = replica.daemon.addressOf("memcached")?.port ?? 0;
    using served = await RawClient.open(port);
    using failing = await RawClient.open(port);
    assert.equal(await ask(served, "get k\r\n"), "END\r\n");
    const fault = context.mock.method(MemcachedParser.prototype, method, () => {
      throw new TypeError("Cannot read properties of null");
    });
    failing.send("get k\r\n");
    assert.equal(await failing.rest(), "");
    fault.mock.restore();
    assert.equal(await ask(served, "get k\r\n"), "END\r\n");
    const line = replica.log.find(({ reason }) => reason === "internal-error");
    assert.match(String(line?.["detail"]), /TypeError: Cannot read properties of null/);
  });
