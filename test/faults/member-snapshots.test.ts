/** Real daemons that lack what no other keeps any more: they take a snapshot of another, and are level. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteString } from "../../protocol/byte-string.js";
import { EnvelopeClient } from "../support/envelope-client.js";
import { Trio } from "./trio.js";

const LEVEL_MS = 60_000;
/** Envelopes on the way at once. */
const AT_ONCE = 500;
/** As little as may be. */
const FORGETFUL = ["--max-timeline-bytes", "1MiB", "--tail-seconds", "4s", "--window", "2s,1s"];

/** Sends envelopes of one command each, whatever is answered. */
async function pour(client: EnvelopeClient, commands: readonly (readonly ByteString[])[]): Promise<void> {
  client.raw.send(commands.map((command) => client.sign([command]).frame).join(""));
  for (let left = commands.length; left > 0; left--) await client.next();
}

/** Writes until all have dropped what came first. */
async function outlive(trio: Trio): Promise<void> {
  using client = await EnvelopeClient.open(trio.ports[0] as number, trio.app);
  const havePruned = async () =>
    (await trio.statuses()).every(({ pruned }) => pruned.length === 2 && pruned.every((to) => to > 0));
  let written = 0;
  while (!(await havePruned()))
    for (let round = 0; round < 4; round++)
      await pour(
        client,
        Array.from({ length: AT_ONCE }, () => [
          "SET",
          `n:${written % 1000}`,
          `${written++} ${"x".repeat(100)}`,
        ]),
      );
}

test("of three daemons in memory one is restarted, after what came first was dropped, and is level", async (t) => {
  await using trio = await Trio.make(FORGETFUL, 3, { isInMemory: true });
  await trio.startAll();
  await using client = trio.client();
  await client.send("SET first kept");
  await outlive(trio);
  await trio.level(LEVEL_MS);
  await trio.end(2, "SIGKILL");
  await trio.start(2);
  t.diagnostic(`level after ${Math.round(await trio.level(LEVEL_MS))} ms`);
  await using reader = trio.client([2]);
  assert.equal(await reader.send("GET first"), "kept");
  assert.equal(await reader.send("DBSIZE"), "1001");
  await reader.send("SET again 1");
  await trio.level(LEVEL_MS);
});
