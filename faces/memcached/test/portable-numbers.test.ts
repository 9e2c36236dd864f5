/** A number of `gets` is valid at each sidecar, as docs/sidecar.md states, "Where an answer is valid". */
import assert from "node:assert/strict";
import { test } from "node:test";
import { skipUnlessFull } from "../../../test/support/amount.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { ScratchFolder } from "../../../test/support/scratch-folder.js";
import { startSidecar } from "../../../test/support/start-sidecar.js";
import { Trio } from "../../../test/support/trio.js";
import { ask, askMemcached } from "./memcached-lines.js";

test("a client can use the answer to gets for cas through another sidecar", {
  skip: skipUnlessFull,
}, async () => {
  using folder = new ScratchFolder();
  await using trio = await Trio.start();
  await trio.untilNoneIsLate();
  const key = folder.privateKey(trio.app);
  const sidecarOf = (index: number) =>
    startSidecar(key, [trio.servers[index] as string], ["--memcached", "0"]);
  await using first = await sidecarOf(0);
  await using second = await sidecarOf(1);
  using one = await RawClient.open(await first.portOf("memcached clients"));
  assert.equal(await ask(one, "set item 0 0 1\r\na\r\n"), "STORED\r\n");
  await trio.level(120_000);
  const [, unique] = /^VALUE item 0 1 (\d+)/.exec(await ask(one, "gets item\r\n")) ?? [];
  const port = await second.portOf("memcached clients");
  assert.equal(await askMemcached(port, `cas item 0 0 1 ${unique}\r\nb\r\n`), "STORED\r\n");
});
