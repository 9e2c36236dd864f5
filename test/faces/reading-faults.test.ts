/** Tests that an error in the code that parses requests closes the connection that caused it, and no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonLineParser } from "../../faces/json/bytes/json-lines.js";
import { makeFolder, startReplica } from "../daemon/program/replicas.js";
import { ask } from "../support/json-lines.js";
import { RawClient } from "../support/raw-client.js";

const LIST = '{"action":"list"}';

for (const method of ["push", "next"] as const)
  test(`an error in ${method} of a parser ends its own connection`, async (context) => {
    using folder = makeFolder();
    await using replica = await startReplica({ args: ["--json", "0", "--data", folder.path] });
    const port = replica.daemon.addressOf("json")?.port ?? 0;
    using served = await RawClient.open(port);
    using failing = await RawClient.open(port);
    assert.match(await ask(served, LIST), /"status":"success"/);
    const fault = context.mock.method(JsonLineParser.prototype, method, () => {
      throw new TypeError("Cannot read properties of null");
    });
    failing.send(`${LIST}\n`);
    assert.equal(await failing.readToClose(), "");
    fault.mock.restore();
    assert.match(await ask(served, LIST), /"status":"success"/);
    const line = replica.log.find(({ reason }) => reason === "internal-error");
    assert.match(String(line?.["detail"]), /TypeError: Cannot read properties of null/);
  });
