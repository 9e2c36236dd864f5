/**
 * Tests libraries for sessions, limits and locks at two daemons: with peers, and with one order from a stream. It
 * prints the counts that docs/consistency.md contains.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ActiveCluster, PATIENT } from "../support/active-cluster.js";
import { skipUnlessFull } from "../support/amount.js";
import { type Served, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { NatsServer } from "../support/nats-server.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";

const npm = join(repositoryRoot, "test", "libraries", "npm");
const isInstalled = existsSync(join(npm, "node_modules", "rate-limit-redis"));
const skip = skipUnlessFull || (isInstalled ? false : "test/libraries/npm is not installed");
const COUNT = 2;

/** The figures of a library, by name. */
type Figures = Readonly<Record<string, Readonly<Record<string, number>> | undefined>>;

/** Runs the program. @returns what it counted, by library */
async function figuresOf(mode: "peers" | "order", ports: readonly number[]): Promise<Figures> {
  const args = [join(npm, "two-servers.mjs"), mode, ...ports.map(String)];
  const ended = await run(process.execPath, args, {});
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  return JSON.parse(ended.stdout) as Figures;
}

/**
 * Checks that the clients that follow streams have missed nothing. On a busy machine, a daemon may have left the other
 * one out for a moment. Then its clients may miss entries.
 */
function assertNothingMissed(t: TestContext, figures: Figures): void {
  for (const [name, { leftOut, jobs, returned, missed, messages, received } = {}] of Object.entries(
    figures,
  )) {
    if (leftOut === undefined) continue;
    if (leftOut > 0) t.diagnostic(`not checked, because a daemon was left out: ${name}`);
    else assert.deepEqual([returned, missed ?? 0, received], [jobs, 0, messages], name);
  }
}

test("at two daemons, sessions are the same and counts expire", { skip }, async (t) => {
  await using cluster = await ActiveCluster.start(COUNT, { hasDocuments: true, isPatient: true });
  const ports = cluster.indices.map((index) => cluster.respPort(index));
  const figures = await figuresOf("peers", [
    ...ports,
    ...cluster.indices.map((index) => cluster.mongoPort(index)),
  ]);
  t.diagnostic(`two daemons: ${JSON.stringify(figures)}`);
  const { saves = 0, reportedAsModified = 0, tookEffect } = figures["mongoose's versions"] ?? {};
  assert.deepEqual([tookEffect, reportedAsModified > saves / 2], [saves / 2, true]);
  const { races = 0, bothInserted = 0, documents } = figures["unique index"] ?? {};
  assert.deepEqual([documents, bothInserted > 0], [races, true]);
  assertNothingMissed(t, figures);
});

test("with --order, the same holds, and a plain SET NX has one owner", {
  skip: skip || skipWithout("nats-server"),
}, async (t) => {
  await using nats = await NatsServer.start();
  const order = ["-s", makeKeyPair().file, "--order", `nats://127.0.0.1:${nats.port}/writes`, ...PATIENT];
  const start = () => startDaemon([...order, "--resp", "0", "--mongo", "0"]);
  const daemons = await Promise.all(Array.from({ length: COUNT }, start));
  try {
    const ports = (served: Served) => Promise.all(daemons.map((daemon) => daemon.portOf(served)));
    const figures = await figuresOf("order", [
      ...(await ports("Redis clients")),
      ...(await ports("MongoDB clients")),
    ]);
    t.diagnostic(`with --order: ${JSON.stringify(figures)}`);
    assert.equal(figures["SET NX"]?.["twoOwners"], 0);
    const { reportedAsModified, tookEffect } = figures["mongoose's versions"] ?? {};
    assert.equal(reportedAsModified, tookEffect);
    assert.equal(figures["unique index"]?.["bothInserted"], 0);
    assertNothingMissed(t, figures);
  } finally {
    await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  }
});
