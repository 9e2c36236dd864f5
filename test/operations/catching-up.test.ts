/**
 * Subcommands that read from a daemon that is catching up warn that entries may be missing; an import waits until every
 * daemon is complete, because one that is catching up refuses what the others take.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Cluster, startCluster } from "../cli/cluster.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { refusingAddress } from "../support/free-port.js";

let folder: string;
let cluster: Cluster;
let complete: DaemonProcess;
let behindArgs: readonly string[];

/**
 * Maximum number of daemons to start: a daemon without its peer serves as a live one after some 10 s, which a busy
 * machine may exceed.
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
  // It has entries of its own, and a peer that refuses its connections.
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
  Record<string, readonly [words: (place: string) => readonly string[], missing: string]>
> = {
  "export resp": [(place) => ["export", `resp:${place}`], "keys"],
  "export json": [(place) => ["export", `json:${place}`], "keys"],
  "export sql": [(place) => ["export", `sql:${place}`], "tables and rows"],
  log: [() => ["log"], "entries"],
  blame: [() => ["blame", "k"], "entries"],
  "get --at": [() => ["get", "--at", String(Date.now()), "k"], "entries"],
};

for (const [name, [words, missing]] of Object.entries(READING)) {
  test(`${name} of a daemon that is catching up warns`, async () => {
    let lines: readonly string[] = [];
    let place = "";
    for (let number = 1; number <= DAEMONS_MAX && lines.length === 0; number++) {
      await using behind = await startDaemon(behindArgs);
      const given = words(join(folder, `behind-${number}-${name}`));
      const { code, stderr } = await cluster.run([...given, ...towards(behind)]);
      assert.equal(code, 0, stderr);
      lines = stderr.split("\n").filter((line) => line.includes("warning"));
      place = `127.0.0.1:${behind.port}`;
    }
    assert.deepEqual(lines, [
      `dbsync: warning: ${place} is catching up: some ${missing} may be missing. ` +
        "Wait until dbsync status shows the daemon as live, or name another daemon (-s)",
    ]);
  });

  test(`${name} of a daemon that is live warns of nothing`, async () => {
    const given = words(join(folder, `live-${name}`));
    const { stderr } = await cluster.run([...given, ...towards(complete)]);
    assert.doesNotMatch(stderr, /warning/);
  });
}

test("import to a daemon that is catching up sends nothing and says so", async () => {
  let refused = "";
  let place = "";
  for (let number = 1; number <= DAEMONS_MAX && !refused.includes("catching up"); number++) {
    await using behind = await startDaemon(behindArgs);
    const { code, stderr } = await cluster.run([
      ...["import", "json://127.0.0.1:1", "--timeout", "100"],
      ...towards(behind),
    ]);
    assert.equal(code, 1, stderr);
    refused = stderr;
    place = `127.0.0.1:${behind.port}`;
  }
  assert.equal(
    refused,
    `dbsync: waiting: ${place} is catching up\n` +
      `dbsync: ${place} is catching up; nothing was sent. Run it again when dbsync status shows each daemon as live\n`,
  );
});
