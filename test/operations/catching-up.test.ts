/**
 * Tests subcommands with a daemon that is catching up. Subcommands that read from the daemon warn that entries may be
 * missing. An import waits until every daemon is live, because a daemon that is catching up refuses writes.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { refusingAddress } from "../support/free-port.js";
import { type Cluster, startCluster } from "../tools/cli/cluster.js";

let folder: string;
let cluster: Cluster;
let complete: DaemonProcess;
let behindArgs: readonly string[];

/**
 * The maximum number of daemons to start. Without its peer a daemon becomes live after about 10 s, and on a busy
 * machine a subcommand may take longer than that.
 */
const DAEMONS_MAX = 5;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "dbsync-behind-"));
  cluster = await startCluster(1);
  const at = (name: string) => join(cluster.folder, name);
  const keys = ["--sign-key", at("app-public.pem"), "--root-key", at("root-public.pem")];
  complete = await startDaemon([...keys, "--data", at("complete")]);
  for (const words of [
    ["SET", "k", "1"],
    ["SQL", "", "create database shop"],
  ])
    assert.equal((await cluster.run(["send", ...towards(complete), ...words])).code, 0);
  await complete[Symbol.asyncDispose]();
  // The daemon has entries, and a peer that refuses connections.
  behindArgs = [...keys, "--data", at("complete"), "--peer", await refusingAddress()];
  complete = await startDaemon([...keys, "--data", at("other")]);
});
after(async () => {
  await complete?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const towards = ({ port }: DaemonProcess) => [
  "-s",
  `127.0.0.1:${port}`,
  "-k",
  join(cluster.folder, "root.pem"),
];

const READING: Readonly<
  Record<string, readonly [words: (address: string) => readonly string[], missing: string]>
> = {
  "export resp": [(address) => ["export", `resp:${address}`], "keys"],
  "export json": [(address) => ["export", `json:${address}`], "keys"],
  "export sql": [(address) => ["export", `sql:${address}`], "tables and rows"],
  log: [() => ["log"], "entries"],
  blame: [() => ["blame", "k"], "entries"],
  "get --at": [() => ["get", "--at", String(Date.now()), "k"], "entries"],
};

for (const [name, [words, missing]] of Object.entries(READING)) {
  test(`${name} of a daemon that is catching up prints a warning`, async () => {
    let lines: readonly string[] = [];
    let address = "";
    for (let number = 1; number <= DAEMONS_MAX && lines.length === 0; number++) {
      await using behind = await startDaemon(behindArgs);
      const args = words(join(folder, `behind-${number}-${name}`));
      const { code, stderr } = await cluster.run([...args, ...towards(behind)]);
      assert.equal(code, 0, stderr);
      lines = stderr.split("\n").filter((line) => line.includes("warning"));
      address = `127.0.0.1:${behind.port}`;
    }
    assert.deepEqual(lines, [
      `dbsync: warning: ${address}: it is catching up: some ${missing} may be missing. ` +
        "Wait until dbsync status shows the daemon as live, or specify another daemon (-s)",
    ]);
  });

  test(`${name} of a live daemon prints no warning`, async () => {
    const args = words(join(folder, `live-${name}`));
    const { stderr } = await cluster.run([...args, ...towards(complete)]);
    assert.doesNotMatch(stderr, /warning/);
  });
}

test("import to a daemon that is catching up sends nothing and reports this", async () => {
  let refused = "";
  let address = "";
  for (let number = 1; number <= DAEMONS_MAX && !refused.includes("catching up"); number++) {
    await using behind = await startDaemon(behindArgs);
    const { code, stderr } = await cluster.run([
      ...["import", "json://127.0.0.1:1", "--timeout", "100"],
      ...towards(behind),
    ]);
    assert.equal(code, 1, stderr);
    refused = stderr;
    address = `127.0.0.1:${behind.port}`;
  }
  assert.equal(
    refused,
    `dbsync: waiting: ${address}: it is catching up\n` +
      `dbsync: ${address}: it is catching up; nothing was sent. Run it again when dbsync status shows each daemon as live\n`,
  );
});
