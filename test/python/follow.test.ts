/** Tests the change feed of the Python package: runs programs/follow.py with two peers that have data folders. */
import { test } from "node:test";
import { skipWithout } from "../support/requirements.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { PYTHON, runCases } from "./running.js";

const skip = skipWithout(PYTHON);

test("both Python clients follow the feed, and continue after each unit", { skip }, async () => {
  await using peers = await Trio.start(["--window", "3s,1s"], 2);
  await peers.list();
  using folder = new ScratchFolder();
  const [key, root] = [folder.privateKey(peers.app), folder.privateKey(peers.root, "root.pem")];
  await runCases("follow.py", { servers: peers.servers, key, root });
});
