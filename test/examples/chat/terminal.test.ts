/**
 * Tests that the terminal client leaves the chat properly when a signal ends it, for example because its window is
 * closed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFolder } from "../../daemon/program/replicas.js";
import { until } from "../../support/until.js";
import { ClientProgram, terminal } from "./programs.js";
import { FrameLine, startServer, startStore } from "./scene.js";

async function isFree(address: string, pseudo: string): Promise<boolean> {
  using line = new FrameLine(address);
  await line.ask({ do: "begin", pseudo, room: "elsewhere" });
  return !(await line.next()).includes("taken");
}

test("a signal ends the terminal client, and its name is free immediately", async () => {
  await using store = await startStore();
  await using server = await startServer({ redis: store.port });
  const port = Number(new URL(server.address).port);
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    // Each check of a name reserves it.
    const name = `Ann of ${signal}`;
    using folder = makeFolder();
    using ann = new ClientProgram([...terminal(port), "-n", name], folder.path);
    await ann.prints(`you are ${name}`);
    assert.equal(await isFree(server.address, name), false, signal);
    assert.equal(await ann.end(signal), code, signal);
    await until("the name is free", () => isFree(server.address, name));
  }
});

test("/quit ends the terminal client, even if its input stays open", async () => {
  await using store = await startStore();
  await using server = await startServer({ redis: store.port });
  using folder = makeFolder();
  using ann = new ClientProgram(
    [...terminal(Number(new URL(server.address).port)), "-n", "Ann"],
    folder.path,
  );
  await ann.prints("you are Ann");
  ann.type("/quit");
  assert.equal(await ann.ended(), 0);
});
