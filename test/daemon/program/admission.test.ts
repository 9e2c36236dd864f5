/**
 * Tests what the data folder of a daemon records of its admission: which daemons ignore the refusals of their peers
 * after a restart, and which command a refused daemon accepts. The daemons run in this process.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { admittedIn } from "../../../daemon/cluster/history/catching-up-mark.js";
import type { Admitted } from "../../../daemon/cluster/peers/shared/cluster-state.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { EnvelopeClient, type KeyPair, makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { nextTurn, until } from "../../support/until.js";
import { makeFolder, type RunningReplica, startReplica } from "./replicas.js";

/** The jump of `uptime` after which a daemon no longer waits for unreachable peers. */
const JUMP_MS = 60_000;

const [app, root] = [makeKeyPair(), makeKeyPair()];
const keys = ["-s", app.file, "--root-key", root.file];

interface Running extends RunningReplica {
  /** Advances the daemon's uptime, so that it no longer waits for its peers. */
  readonly jump: () => void;
}

async function start(port: number, args: readonly string[]): Promise<Running> {
  let jumped = 0;
  const uptime = () => realEnvironment.uptime() + jumped;
  const running = await startReplica({ args: ["-p", String(port), ...args], environment: { uptime } });
  return { ...running, jump: () => void (jumped = JUMP_MS) };
}

const becomes = ({ daemon }: Running, state: string) =>
  until(`it is ${state}`, () => daemon.condition.state === state);

async function write(
  port: number,
  pair: KeyPair = app,
  ...commands: readonly (readonly ByteString[])[]
): Promise<string> {
  using client = await EnvelopeClient.open(port, pair);
  const answer = await client.ask(commands.length === 0 ? [["SET", "k", "v"]] : commands);
  return answer.kind === "refused" ? answer.code : "accepted";
}

/** Starts a daemon of another cluster at a port. */
const startForeign = (port: number, peer: number) =>
  start(port, ["-s", makeKeyPair().file, "--peer", `127.0.0.1:${peer}`, ...knowsSecret]);

/** Returns what a data folder records. */
async function admittedBy(data: string): Promise<Admitted> {
  const view = await openFolderView(join(data, "timeline"), () => {});
  try {
    return admittedIn(view);
  } finally {
    view.close();
  }
}

test("a daemon records that it was admitted before it accepts the first write", async () => {
  using folder = makeFolder();
  const other = await freePort();
  await using _member = await start(other, [...keys, "--peer", "127.0.0.1:1", ...knowsSecret]);
  const args = [...keys, "--peer", `127.0.0.1:${other}`, ...knowsSecret];
  // Each is live after another number of turns, and some work is not done in every turn.
  const data = ["a", "b", "c", "d"].map((name) => join(folder.path, name));
  for (const path of data) {
    await using joins = await start(await freePort(), [...args, "--data", path]);
    // Stopping in the turn that follows the change leaves no time for a later record.
    const isLive = () => joins.daemon.condition.state === "live";
    await until("it is live", isLive, { pause: nextTurn });
  }
  for (const path of data) assert.equal(await admittedBy(path), "compared");
});

test("a daemon that was compared with a member accepts writes after a restart, although its peer refuses it", async () => {
  using folder = makeFolder();
  const [own, other] = [await freePort(), await freePort()];
  const args = [...keys, "--peer", `127.0.0.1:${other}`, ...knowsSecret, "--data", join(folder.path, "a")];
  {
    await using first = await start(own, args);
    await using _member = await start(other, [...keys, "--peer", `127.0.0.1:${own}`, ...knowsSecret]);
    await becomes(first, "live");
    assert.equal(await write(own), "accepted");
  }

  await using _foreign = await startForeign(other, own);
  await using again = await start(own, args);
  again.jump();
  await becomes(again, "isolated");
  await until("its peer refuses it", () =>
    /^its peers belong to another/.test(again.daemon.condition.reason),
  );
  assert.equal(await write(own), "accepted");
});

test("a daemon that has served alone accepts writes after it gets a peer that refuses it; a new one does not", async () => {
  for (const [writes, state] of [
    [1, "isolated"],
    [0, "not-admitted"],
  ] as const) {
    using folder = makeFolder();
    const [own, other] = [await freePort(), await freePort()];
    const data = join(folder.path, "a");
    const args = [...keys, "--data", data];
    {
      await using alone = await start(own, args);
      await becomes(alone, "live");
      for (let i = 0; i < writes; i++) assert.equal(await write(own), "accepted");
      if (writes > 0) await until("it is recorded", async () => (await admittedBy(data)) === "alone");
    }
    await using _foreign = await startForeign(other, own);
    await using again = await start(own, [...args, "--peer", `127.0.0.1:${other}`, ...knowsSecret]);
    again.jump();
    await becomes(again, state);
    await until("its peer refuses it", () => again.daemon.condition.reason !== "");
    assert.equal(await write(own), writes === 1 ? "accepted" : "not-admitted");
  }
});

test("a daemon that its peer refuses because of its key accepts only CLUSTER ADD", async () => {
  const [own, other] = [await freePort(), await freePort()];
  await using first = await start(own, [...keys, "--peer", `127.0.0.1:${other}`]);
  await using _second = await start(other, [...keys, "--peer", `127.0.0.1:${own}`]);
  await becomes(first, "not-admitted");
  const pem = makeKeyPair().pem.split("\n").slice(1, -2).join("");
  const add = ["CLUSTER", "ADD", pem];
  assert.equal(await write(own), "not-admitted");
  assert.equal(await write(own, root, ["KEY", "ADD", pem]), "not-admitted");
  assert.equal(await write(own, root, add, ["KEY", "ADD", pem]), "not-admitted");
  assert.equal(await write(own, root, add), "accepted");
  assert.equal(await write(own), "not-admitted");
});
