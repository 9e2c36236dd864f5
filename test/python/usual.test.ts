/**
 * Tests the ordinary use of the Python package: runs programs/usual.py with three daemons in memory, and with two peers
 * that have data folders.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { amount } from "../support/amount.js";
import { skipWithout } from "../support/requirements.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { PYTHON, runCases } from "./running.js";

const skip = skipWithout(PYTHON);
let inMemory: Trio | undefined;
let peers: Trio | undefined;

before(async () => {
  if (skip) return;
  inMemory = await Trio.start([], 3, { isInMemory: true, arePeers: false, keys: "app" });
  peers = await Trio.start([], 2, { app: inMemory.app, keys: "app" });
});
after(async () => {
  await inMemory?.[Symbol.asyncDispose]();
  await peers?.[Symbol.asyncDispose]();
});

test("the Python package's commands, views, threads and loops behave as documented", { skip }, async () => {
  assert.ok(inMemory !== undefined && peers !== undefined);
  using folder = new ScratchFolder();
  const key = folder.privateKey(inMemory.app);
  const calls = amount(200, 900);
  await runCases("usual.py", { servers: inMemory.servers, peers: peers.servers, calls, key });
});
