/** Clients of memcached receive the answers that they expect if a request fails. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type DaemonHere, startDaemonHere } from "../../../test/support/daemon-here.js";
import { within } from "../../../test/support/pause.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { askMemcached } from "./memcached-lines.js";

const END_MS = 30_000;

let daemon: DaemonHere;
let memcached = 0;
before(async () => {
  daemon = await startDaemonHere(["--memcached", "0"]);
  memcached = await daemon.portOf("memcached clients");
});
after(async () => await daemon?.[Symbol.asyncDispose]());

/** Sends lines, followed by `version` as an end mark. @returns the answers to the lines */
async function ask(text: string): Promise<string> {
  const answer = await within(END_MS, askMemcached(memcached, text));
  assert.ok(answer !== null, `no answer: ${JSON.stringify(text)}`);
  return answer;
}

test("the version for memcached has a major number of at least 1", async () => {
  using client = await RawClient.open(memcached);
  client.send("version\r\n");
  assert.match(await client.readTo("\r\n"), /^VERSION [1-9]\d*\./);
});

test("the binary protocol of memcached receives the documented answer", async () => {
  using client = await RawClient.open(memcached);
  client.send(`\x80\x0b${"\0".repeat(22)}`);
  const answer = await within(END_MS, client.readToClose());
  assert.match(String(answer), /^ERROR\r\n/);
});

test("failing commands with noreply receive no answer", async () => {
  assert.equal(await ask("flush_all noreply\r\n"), "");
  assert.equal(await ask("set k 0 0 1 noreply\r\nx\r\nincr k 1 noreply\r\n"), "");
  assert.equal(await ask("incr k nonsense noreply\r\n"), "");
});

for (const length of ["99999999999999999999", "2147483648", "-1", "1e3", "0x10"])
  test(`a length of ${length} is a client or server error, and the connection stays usable`, async () => {
    using client = await RawClient.open(memcached);
    client.send(`set k 0 0 ${length}\r\n`);
    assert.match(String(await within(END_MS, client.readTo("\r\n"))), /^(SERVER_ERROR|CLIENT_ERROR) /);
    assert.equal(await ask("get nothing\r\n"), "END\r\n");
  });
