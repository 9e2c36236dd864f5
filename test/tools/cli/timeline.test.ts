/**
 * Tests the subcommands of `dbsync` about timelines: log, blame, get --at, status and log verify, with real daemons.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startDaemon, type TestDaemon } from "../../../daemon/program/testing.js";
import { peerArgs } from "../../support/cluster-secret.js";
import { freePort, refusingAddress } from "../../support/free-port.js";
import { programPaths } from "../../support/programs.js";
import { until } from "../../support/until.js";
import { type Cluster, startCluster } from "./cluster.js";

/** A cluster of one daemon without a timeline. The two daemons with a timeline use its keys. */
let plain: Cluster;
let folder: string;
let daemons: TestDaemon[];
let servers: string;

const options = (name: string) => [
  ...["--data", join(folder, name), "--sign-key", join(plain.folder, "app-public.pem")],
  ...["--root-key", join(plain.folder, "root-public.pem")],
];

before(async () => {
  plain = await startCluster(1);
  folder = mkdtempSync(join(tmpdir(), "dbsync-timeline-"));

  const ports = [await freePort(), await freePort()];
  daemons = [
    await startDaemon({ key: false, args: [...peerArgs(ports, 0), ...options("one")] }),
    await startDaemon({ key: false, args: [...peerArgs(ports, 1), ...options("two")] }),
  ];
  servers = daemons.map((daemon) => daemon.servers).join();

  await until("both daemons are live", async () => {
    const { daemons } = JSON.parse((await run("status", "--json")).stdout) as {
      daemons: { state: string }[];
    };
    return daemons.every(({ state }) => state === "live");
  });

  // With --policy all each write is on both daemons before the next.
  for (const command of [
    "SET greeting hello",
    "INCR visits",
    "INCR visits",
    "INCR greeting",
    "RPUSH list a b",
  ])
    await run("send", "-k", "app.pem", "--policy", "all", command);
});
after(async () => {
  await Promise.all(daemons.map((daemon) => daemon.stop()));
  await plain[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const run = (command: string, ...args: string[]) => plain.run([command, "-s", servers, ...args]);
const asRoot = (command: string, ...args: string[]) => run(command, "-k", "root.pem", ...args);

describe("dbsync log", () => {
  test("prints a line for each command with date, outcome, signer and arguments", async () => {
    const { code, stdout, stderr } = await asRoot("log");
    assert.deepEqual([code, stderr], [0, ""]);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.length, 5);
    assert.match(
      lines[0] ?? "",
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z {2}applied {2}app-public \([\da-f]{12}\) {2}SET greeting hello {2}→ OK$/,
    );
    assert.match(
      lines[3] ?? "",
      / {2}error +app-public .* {2}INCR greeting {2}→ ERR value is not an integer/,
    );
  });

  test("filters by key, signer, dates and a limit", async () => {
    const { stdout } = await asRoot("log", "--touching", "visits", "--signer", "app-public", "--from", "-1h");
    assert.equal(stdout.match(/INCR visits/g)?.length, 2);
    assert.equal(stdout.match(/\n/g)?.length, 2);
    const limited = await asRoot("log", "--limit", "1");
    assert.match(
      limited.stdout,
      /RPUSH list a b {2}→ 2\n4 older commands are left out; --limit shows more\.\n$/,
    );
    const none = await asRoot("log", "--to", "-1h");
    assert.equal(none.stdout, "Nothing was recorded in that time.\n");
  });

  test("with --json prints all fields in full", async () => {
    const { stdout } = await asRoot("log", "--json", "--limit", "2");
    const printed = JSON.parse(stdout) as {
      left: number;
      units: { id: string; commands: string[][]; outcome: string }[];
    };
    assert.equal(printed.left, 3);
    assert.deepEqual(
      printed.units.map(({ commands, outcome }) => [commands, outcome]),
      [
        [[["INCR", "greeting"]], "error"],
        [[["RPUSH", "list", "a", "b"]], "applied"],
      ],
    );
    assert.match(printed.units[0]?.id ?? "", /^[\da-f]{64}$/);
  });

  test("gives advice on a missing key, a wrong key, a missing timeline and a wrong date", async () => {
    const unsigned = await run("log");
    assert.equal(unsigned.code, 3);
    assert.match(unsigned.stderr, /What to do: sign with an administrator's private key/);
    const denied = await run("log", "-k", "app.pem");
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /NOPERM .*\nWhat to do: this key has no permission for that/);
    const without = await plain.run(["log", "-k", "root.pem"]);
    assert.equal(without.code, 1);
    assert.match(without.stderr, /What to do: start the daemon with --data DIR, or with --peer/);
    const wrong = await asRoot("log", "--from", "2h");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--from is "2h", allowed: a time before now such as -30m/);
  });

  test("queries the next daemon if one does not answer", async () => {
    const { code, stdout } = await plain.run([
      "log",
      "-s",
      `${await refusingAddress()},${servers}`,
      "-k",
      "root.pem",
    ]);
    assert.equal(code, 0);
    assert.match(stdout, /SET greeting hello/);
  });
});

describe("dbsync blame", () => {
  test("shows the commands that led to the value of a key", async () => {
    const { code, stdout } = await asRoot("blame", "visits");
    assert.equal(code, 0);
    assert.deepEqual(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.replace(/^\S+ \S+ +(\w+).* (INCR .*)$/, "$1 $2")),
      ["created INCR visits", "changed INCR visits"],
    );
    assert.equal((await asRoot("blame", "nothing")).stdout, '"nothing" was never written.\n');
  });
});

describe("dbsync get --at", () => {
  test("shows the past value of a key of any type, or the past answer to a command", async () => {
    const at = String(Date.now());
    await run("send", "-k", "app.pem", "--policy", "all", "DEL list");
    assert.equal((await asRoot("get", "--at", at, "visits")).stdout, "2\n");
    assert.equal((await asRoot("get", "--at", at, "list")).stdout, "a\nb\n");
    assert.equal((await asRoot("get", "--at", at, "LLEN", "list")).stdout, "2\n");
    assert.equal((await run("get", "visits", "--at", "-1d", "-k", "root.pem")).stdout, "(nil)\n");
    assert.equal((await asRoot("get", "--at", at, "LRANGE", "list", "-1", "-1")).stdout, "b\n");
    assert.deepEqual(JSON.parse((await asRoot("get", "--at", at, "--json", "list")).stdout).value, [
      "a",
      "b",
    ]);
    const changing = await asRoot("get", "--at", at, "DEL", "list");
    assert.equal(changing.code, 1);
    assert.match(changing.stderr, /the past cannot be changed/);
  });

  test("sends GET without a date", async () => {
    const { code, stdout } = await run("get", "visits", "-k", "app.pem");
    assert.deepEqual([code, stdout], [0, "2\n"]);
  });

  test("refuses a date in the future", async () => {
    const { code, stderr } = await asRoot("get", "--at", "2100-01-01", "visits");
    assert.equal(code, 2);
    assert.match(stderr, /which is 2100-01-01 00:00:00Z\. That is in the future: .*leave out --at/);
  });
});

describe("dbsync status", () => {
  test("shows timelines and members to administrators", async () => {
    await until("no problems are reported", async () => (await asRoot("status")).code === 0);
    const { stdout } = await asRoot("status");
    assert.match(stdout, /\nTIMELINE OF +ENTRIES +HELD +TAIL +REDONE +WAIT +DISK +NEWEST +FINAL\n/);
    assert.match(stdout, /\nSEEN BY +MEMBER +STATE +CLOCK +TRIP +LAG +SAME\n/);
    assert.equal(stdout.match(/^\S+ +127\.0\.0\.1:\d+ +live /gm)?.length, 2);
    assert.match(stdout, /\nFIGURES OF +SOFTWARE +UPTIME +KEYS +MEMORY +CLIENTS +ANSWERED +REFUSED\n/);
    assert.equal(stdout.match(/^\S+ +\d+\.\d+\.\d+ +\d+ s +2 +\d+\.\d MB +\d+ +\d+ +0$/gm)?.length, 2);
    for (const line of stdout.split("\n").filter((one) => !/^(FAIL|WARN|NOTE)/.test(one)))
      assert.ok(line.length <= 80, `${line.length}: ${line}`);
    const { daemons } = JSON.parse((await asRoot("status", "--json")).stdout) as {
      daemons: { timeline: { entries: number; fingerprint: string; members: { equal: boolean }[] } }[];
    };
    assert.equal(new Set(daemons.map(({ timeline }) => timeline.fingerprint)).size, 1);
  });

  test("explains to other users why it shows no more", async () => {
    const { code, stdout } = await run("status", "-k", "app.pem");
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /TIMELINE OF/);
    assert.match(stdout, /\n\(daemons report software, memory, timelines and members to administrators/);
    assert.match((await run("doctor", "-k", "app.pem")).stdout, /\nAll checks that could run passed\.\n$/);
    assert.doesNotMatch((await plain.run(["status"])).stdout, /administrators/);
  });

  test("with --watch prints updates", async () => {
    const words = [programPaths.dbsync, "status", "--watch", "--json", "-s", servers];
    const child = spawn(process.execPath, words, { cwd: plain.folder, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    await until("two lines are printed", () => text.split("\n").length > 2);
    child.kill();
    await once(child, "close");
    for (const line of text.split("\n").slice(0, 2))
      assert.equal((JSON.parse(line) as { daemons: [] }).daemons.length, 2);
  });
});

describe("dbsync log --follow", () => {
  test("shows commands as they are recorded, each unit once", async () => {
    const words = [programPaths.dbsync, "log", "--follow", "--json", "--limit", "1", "-s", servers];
    const child = spawn(process.execPath, [...words, "-k", join(plain.folder, "root.pem")], {
      stdio: ["ignore", "pipe", "inherit"],
    });

    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    const printed = () =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { commands: string[][] }).commands[0]?.join(" "));
    try {
      await until("the newest command is printed", () => printed().length > 0);
      assert.deepEqual(printed(), ["DEL list"]);
      for (const index of [0, 1]) {
        await run("send", "-k", "app.pem", `SETNX followed ${index}`);
        await until("the command is printed", () => printed().includes(`SETNX followed ${index}`));
      }
      assert.deepEqual(printed().slice(1), ["SETNX followed 0", "SETNX followed 1"]);
    } finally {
      child.kill("SIGINT");
    }

    const [code] = (await once(child, "close")) as [number];
    assert.equal(code, 0);
  });
});

describe("a disconnected daemon and its folder", () => {
  const keys = () => ["--sign-key", "app-public.pem", "--root-key", "root-public.pem"];
  const verify = (name: string, ...args: string[]) =>
    plain.run(["log", "verify", "--data", join(folder, name), ...keys(), ...args]);

  test("log verify checks a folder in use up to the last group at the start of the check", async () => {
    const { code, stdout } = await verify("one");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /\nread +up to group \d+ of the log; process \d+ has it open, /);
  });

  test("the remaining daemon reports the missing member, and both folders have the same state", async () => {
    await daemons[1]?.stop();
    const lonely = servers.split(",")[0] ?? "";
    await until("the remaining daemon reports the missing member", async () => {
      const { code, stdout } = await plain.run(["status", "-s", lonely, "-k", "root.pem"]);
      return code === 1 && /127\.0\.0\.1:\d+ is down for .*, seen by 1 of 1.*; start it first/.test(stdout);
    });

    await daemons[0]?.stop();
    const { code, stdout } = await verify("one");
    assert.equal(code, 0);
    assert.match(stdout, /^entries +8, 0 of them for the key ring, /);
    assert.match(
      stdout,
      /\nunits +7 applied, 1 error, 0 denied, 0 unmet, 0 malformed, 0 too-much\nsignatures +8 correct\n/,
    );
    assert.match(stdout, /\nNo faults\.\n$/);

    const [one, two] = [await verify("one", "--json"), await verify("two", "--json")];
    assert.equal(JSON.parse(one.stdout).state, JSON.parse(two.stdout).state);
  });

  test("wrong keys, missing keys and a missing folder are reported, and nothing is created", async () => {
    const other = await plain.run(["log", "verify", "--data", join(folder, "one"), "-s", "web-public.pem"]);
    assert.equal(other.code, 2);
    assert.match(other.stderr, /created with other keys/);
    const none = await plain.run(["log", "verify", "--data", join(folder, "one")]);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /the keys are missing: add --sign-key and --root-key/);
    const absent = await verify("three");
    assert.equal(absent.code, 4);
    assert.match(absent.stderr, /the folder does not exist/);
    assert.ok(!existsSync(join(folder, "three")));
  });
});
