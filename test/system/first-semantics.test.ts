/**
 * Tests the semantics version with which a new cluster begins, with daemons of a future release that supports two: the
 * first member list sets the newest one that all daemons support, unless the cluster has data.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type SemanticsReport, semanticsReport, versionsToSet } from "../../tools/cli/members/members.js";
import { runDbsync } from "../client/child.js";
import { buildRoot } from "../support/repository.js";
import { Trio } from "../support/trio.js";

const next = { program: join(buildRoot, "test/system/programs/next-release.js") };

async function addMembers(trio: Trio): Promise<void> {
  const key = `${trio.root.file}.private`;
  writeFileSync(key, trio.root.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const { code, stderr } = await runDbsync([
    "members",
    "add",
    ...trio.servers,
    "-s",
    trio.servers.join(),
    "-k",
    key,
  ]);
  assert.deepEqual([code, stderr], [0, ""]);
}

async function versionsOf(trio: Trio): Promise<number[]> {
  const read = async (_: number, index: number) => {
    await using root = trio.client([index], { key: trio.root.privateKey });
    return semanticsReport(await root.call("TIMELINE STATUS")).semantics;
  };
  return await Promise.all(trio.ports.map(read));
}

test("the first list of a new cluster sets the newest semantics version, in which INCR adds ten", async () => {
  await using trio = await Trio.make();
  await trio.startAll(next);
  await addMembers(trio);
  await trio.until("all daemons use version 2", async () => String(await versionsOf(trio)) === "2,2,2");
  await using client = trio.client();
  assert.equal(await client.call("INCR n"), 10);
});

test("the first list of a cluster with data keeps the semantics version of its commands", async () => {
  await using trio = await Trio.make();
  await trio.startAll(next);
  await using client = trio.client();
  assert.equal(await client.call("INCR n", { replicated: 3 }), 1);
  await addMembers(trio);
  assert.deepEqual(await versionsOf(trio), [1, 1, 1]);
  assert.equal(await client.call("INCR n"), 2);
});

test("the versions to set are those that all daemons support, one after the other", () => {
  const report = (available: number, entries = 0): SemanticsReport => ({ semantics: 1, available, entries });
  const versions = (...reports: SemanticsReport[]) =>
    versionsToSet(new Map(reports.map((each, index) => [`${index}`, each])), ["0", "1"]);

  assert.deepEqual(versions(report(3), report(3)), [2, 3]);
  assert.deepEqual(versions(report(3), report(2)), [2]);
  assert.deepEqual(versions(report(1), report(3)), []);
  assert.deepEqual(versions(report(3)), [], "a daemon did not answer");
  assert.deepEqual(versions(report(3), report(3, 1)), [], "a daemon has data");
  const unknown = { ...report(3), semantics: semanticsReport([]).semantics };
  assert.deepEqual(versions(unknown, unknown), [], "no daemon reports its version");
  assert.deepEqual(versions(report(2), report(2), report(3, 1)), [2], "another daemon is no member");
  const another = new Map([
    ["0", report(2)],
    ["2", report(2)],
  ]);
  assert.deepEqual(versionsToSet(another, ["0", "1"]), [], "another daemon answered in place of a member");
});
