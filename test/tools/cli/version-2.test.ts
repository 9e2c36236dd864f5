/** Tests the program `dbsync` with daemons that speak version 2. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startDaemon } from "../../../daemon/program/testing.js";
import { runDbsync } from "../../client/child.js";
import { FakeServer } from "../../client/fake-server.js";
import { skipUnlessFull, some } from "../../support/amount.js";
import { refusingAddress } from "../../support/free-port.js";
import { programPaths } from "../../support/programs.js";
import { repositoryRoot } from "../../support/repository.js";
import { type Cluster, startCluster } from "./cluster.js";

/** An RSA key, because version 1 supports no other type. */
const rsaFile = join(repositoryRoot, "test/vectors/php-dbsync/test-rsa2048-private.pem");

let cluster: Cluster;

before(async () => {
  cluster = await startCluster(2);
});
after(() => cluster[Symbol.asyncDispose]());

const run = (...args: string[]) => cluster.run(args);

interface Status {
  readonly daemons: {
    readonly address: string;
    readonly ok: boolean;
    readonly versions: number[];
    readonly cluster: string | null;
    readonly daemon: string | null;
    readonly clusterDiffers: boolean;
    readonly state: string | null;
    readonly stage: string | null;
    readonly problems: { text: string; fix: string }[];
    readonly remarks: { text: string }[];
  }[];
}

describe("dbsync status", () => {
  test("shows a line for each daemon in the order of the list, and exits with 0 if there are no problems", async () => {
    const { code, stdout, stderr } = await run("status");
    assert.deepEqual([code, stderr], [0, ""]);
    const [head, ...lines] = stdout
      .replace(/^2 of 2 ready, no problems\n\n/, "")
      .trimEnd()
      .split("\n");
    assert.match(head ?? "", /^ADDRESS +VERSIONS +DAEMON +CLUSTER +STATE +CLOCK +TRIP$/);
    const places = cluster.daemons.servers.split(",");
    assert.equal(lines.length, places.length);
    for (const [index, line] of lines.entries()) {
      assert.match(line, /^\S+ +1 2 +[\da-f]{8} +[\da-f]{8} +live +[+-]\d+ ms +\d+\.\d ms$/);
      assert.ok(line.startsWith(`${places[index]} `));
    }
  });

  test("with --json prints complete ids", async () => {
    const { stdout } = await run("status", "--json");
    const { daemons } = JSON.parse(stdout) as Status;
    assert.ok(daemons.every(({ ok, problems }) => ok && problems.length === 0));
    assert.deepEqual(new Set(daemons.map((daemon) => daemon.cluster?.length)), new Set([64]));
    assert.equal(new Set(daemons.map(({ daemon }) => daemon)).size, 2);
  });

  test("names the daemon of another cluster, and exits with 1", async () => {
    await using other = await startDaemon();
    const { code, stdout } = await run("status", "-s", `${cluster.daemons.servers},${other.servers}`);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`\\n${other.servers} .* ${other.cluster?.slice(0, 8)} \\(!\\) `));
    assert.match(
      stdout,
      new RegExp(`\\nFAIL  ${other.servers}: it belongs to the cluster .*; start all daemons with the same`),
    );

    const result = await run("status", "--json", "--cluster", other.cluster ?? "", "-s", other.servers);
    assert.equal(result.code, 0);
    const wrong = await run("status", "--json", "--cluster", other.cluster ?? "");
    const { daemons } = JSON.parse(wrong.stdout) as Status;
    assert.deepEqual(
      daemons.map(({ clusterDiffers }) => clusterDiffers),
      [true, true],
    );
  });

  test("gives advice on a daemon that is down, and on one of version 1", async () => {
    const dead = await refusingAddress();
    await using old = await FakeServer.start();
    const { code, stdout } = await run("status", "-s", `${dead},${old.address}`);
    assert.equal(code, 1);
    assert.match(stdout, /\n127\.0\.0\.1:\d+ +- +- +- +connect +- +-\n127\.0\.0\.1:\d+ +1 +- +- +- +- +-\n/);
    assert.match(stdout, /: connect: no connection \(ECONNREFUSED\); is dbsyncd running there\?\n$/);

    assert.equal((await run("status", "-s", old.address)).code, 0);
    for (const args of [
      ["--versions", "2"],
      ["-k", "app.pem"],
    ]) {
      const required = await run("status", "-s", old.address, ...args);
      assert.match(required.stdout, /it speaks only version 1, .*; update it; .*--versions 1/);
      assert.equal(required.code, 1);
    }

    assert.equal((await run("status", "-s", `dbsync1://${old.address}`, "-k", "app.pem")).code, 0);
    assert.equal((await run("status", "-s", old.address, "-k", "app.pem", "--versions", "1,2")).code, 0);
  });

  test("warns if the client sends version 1 to a daemon that speaks version 2", async () => {
    const one = `127.0.0.1:${cluster.daemons.daemons[0]?.port}`;
    const result = await run("status", "-s", `dbsync1://${one}`, "-k", "app.pem");
    assert.equal(result.code, 1);
    assert.match(
      result.stdout,
      /^WARN {2}\S+: it speaks version 2, but commands are sent to it as version 1; remove version 1 from the option versions/m,
    );
    assert.doesNotMatch((await run("status", "-s", one, "-k", "app.pem")).stdout, /version 2, but/);
  });

  test("reports that a daemon is named twice", async () => {
    const [daemon] = cluster.daemons.daemons;
    const { stdout } = await run("status", "-s", `127.0.0.1:${daemon?.port},localhost:${daemon?.port}`);
    assert.match(stdout, /it is the same daemon as localhost:\d+; list it only once/);
  });
});

describe("dbsync send", () => {
  test("sends spaces, empty arguments and line breaks", async () => {
    for (const value of some(["two words", "", "line\nend", "gr\u00fc\u00dfe"], 3)) {
      assert.equal((await run("send", "-k", "app.pem", "SET", "a key", value)).stdout, "OK\n");
      assert.equal((await run("send", "-k", "app.pem", "GET", "a key")).stdout, `${value}\n`);
    }
  });

  test("prints bytes unchanged", async () => {
    await run("send", "-k", "app.pem", "BITFIELD", "bytes", "SET", "u8", "0", "255", "SET", "u8", "16", "65");
    const { bytes } = await run("send", "-k", "app.pem", "GET", "bytes");
    assert.equal(bytes.toString("hex"), "ff00410a");
  });

  test("prints bytes that are not text as base64 in JSON, and reads the last argument from stdin with -x", {
    skip: skipUnlessFull,
  }, async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x41]);
    const set = await cluster.run(["send", "-k", "app.pem", "-x", "SET", "stored"], bytes);
    assert.deepEqual([set.code, set.stdout, set.stderr], [0, "OK\n", ""]);
    assert.equal((await run("send", "-k", "app.pem", "GET", "stored")).bytes.toString("hex"), "ff00410a");

    const json = await run("send", "-k", "app.pem", "--json", "GET", "stored");
    assert.deepEqual(JSON.parse(json.stdout), { value: { base64: "/wBB" } });
    const all = await run("send", "-k", "app.pem", "--all", "--json", "GET", "stored");
    const { outcomes } = JSON.parse(all.stdout) as { outcomes: { value: unknown; values: unknown[] }[] };
    for (const { value, values } of outcomes)
      assert.deepEqual([value, values], [{ base64: "/wBB" }, [{ base64: "/wBB" }]]);
    const lines = (await run("send", "-k", "app.pem", "--all", "GET", "stored")).bytes;
    assert.ok(lines.includes(Buffer.concat([Buffer.from(": "), bytes, Buffer.from("\n")])));

    const piped = ["repl", "-k", "app.pem"];
    assert.equal((await cluster.run(piped, "GET stored\n")).bytes.toString("hex"), "ff00410a");
    const spoken = await cluster.run([...piped, "--json"], "GET stored\n");
    assert.deepEqual(JSON.parse(spoken.stdout), { value: { base64: "/wBB" } });
    assert.equal((await run("send", "-k", "app.pem", "-x", "SET")).code, 1, "a command without a key");
  });

  test("suggests a similar name for an unknown command", async () => {
    const { code, stderr } = await run("send", "-k", "app.pem", "GETT", "k");
    assert.equal(code, 1);
    assert.match(stderr, /unknown command 'GETT'.*\n\(Did you mean GET\?\)\n$/);
  });

  test("shows where quotes belong if there is one argument too many", async () => {
    for (const words of [["SET", "k", "good", "morning"], ["SET k good morning"]])
      assert.match((await run("send", "-k", "app.pem", ...words)).stderr, /in quotes: dbsync send SET/);
  });

  test("reports the error of a command once, and exits with 1", async () => {
    const { code, stderr } = await run("send", "-k", "app.pem", "SET", "k");
    assert.equal(code, 1);
    assert.equal(
      stderr,
      "dbsync: The command failed (SET k): ERR wrong number of arguments for 'set' command\n",
    );
  });

  test("accepts a database, a policy and a cluster", { skip: skipUnlessFull }, async () => {
    const hex = cluster.daemons.daemons[0]?.cluster ?? "";
    await run("send", "-k", "app.pem", "--db", "3", "--policy", "all", "--cluster", hex, "SET", "far", "1");
    assert.equal((await run("send", "-k", "app.pem", "--db", "3", "GET", "far")).stdout, "1\n");
    assert.equal((await run("send", "-k", "app.pem", "--policy", "2", "GET", "far")).stdout, "(nil)\n");
    const wrong = await run("send", "-k", "app.pem", "--cluster", "ab".repeat(32), "GET", "far");
    assert.match(wrong.stderr, /wrong-cluster/);
    assert.equal(wrong.code, 1);
    assert.equal((await run("send", "--cluster", "ab", "GET", "far")).code, 2);
    assert.equal((await run("send", "--db", "x", "GET", "far")).code, 2);
  });

  test("sends nothing to a daemon of version 1 unless --versions or the list allows it", async () => {
    await using old = await FakeServer.start();
    const { code, stderr } = await run("send", "-s", old.address, "-k", "app.pem", "PING");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /: version: it closes the connection after version 2's hello: .*DBSYNC_VERSIONS=1.*\[not applied there\]/,
    );
    assert.deepEqual(old.commands, []);

    const wrong = await run("send", "-s", old.address, "--versions", "v1", "PING");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /Allowed: 2 \(only version 2\)/);

    for (const args of some([
      ["--versions", "1"],
      ["--versions", "1,2"],
      ["-s", `dbsync1://${old.address}`],
    ])) {
      const allowed = await run("send", "-s", old.address, "-k", rsaFile, ...args, "PING");
      assert.deepEqual([allowed.code, allowed.stdout], [0, "OK\n"], args.join(" "));
    }
  });

  test("DBSYNC_VERSIONS also applies to servers from the command line", async () => {
    await using old = await FakeServer.start();
    const args = ["send", "-s", old.address, "-k", rsaFile, "PING"];
    const { code, stdout } = await runDbsync(args, { variables: { DBSYNC_VERSIONS: "1" } });
    assert.deepEqual([code, stdout], [0, "OK\n"]);
  });
});

describe("dbsync repl", () => {
  test("sends quoted arguments", async () => {
    const input = `SET q "two words"\nGET q\nSET q '"'\nGET q\nSET q "a\\x00\\xffb"\nSTRLEN q\n`;
    const { code, stdout } = await cluster.run(["repl", "-k", "app.pem"], input);
    assert.equal(code, 0);
    assert.equal(stdout, 'OK\ntwo words\nOK\n"\nOK\n4\n');
  });
});

describe("dbsync doctor", () => {
  test("reports that all checks passed, with versions, states, clocks and the cluster", async () => {
    const { code, stdout } = await run("doctor", "-k", "app.pem");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /resolved, reached, speaks versions 1 and 2, live, daemon [\da-f]{12}\n/);
    assert.match(stdout, /its clock is \d+ ms (behind|ahead of) this machine's\n/);
    assert.match(stdout, /accepts the signature \(version 2\), /);
    assert.match(stdout, /OK {4}cluster: [\da-f]{12}, the same on all 2 daemons\nAll checks passed\.\n$/);
  });

  test("gives advice on an unknown key and on a missing key", async () => {
    const unknown = await run("doctor", "-k", "stranger.pem");
    assert.equal(unknown.code, 1);
    assert.match(unknown.stdout, /FAIL {2}.*: refused: .*unknown-key/);
    assert.match(unknown.stdout, /\nFirst fix: .*Compare the fingerprint/);
    const unsigned = await run("doctor", "-k", "");
    assert.match(unsigned.stdout, /\nFirst fix: .*Specify the private key \(-k/);
  });

  test("reports that the daemons belong to different clusters", async () => {
    await using other = await startDaemon();
    const servers = `${cluster.daemons.servers},${other.servers}`;
    const { code, stdout } = await run("doctor", "-k", "app.pem", "-s", servers);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`FAIL {2}${other.servers}: it belongs to the cluster`));
  });
});

test("a key file is found from any folder", async () => {
  const { stdout } = await run("ping", "-k", join(cluster.folder, "app.pem"));
  assert.match(stdout, /: ok, \d+\.\d ms, version 2\n.*: ok, .*version 2\n$/);
});

describe("with TLS", () => {
  test("status and doctor report a missing authority, and the proof of the daemon's identity", {
    skip: skipUnlessFull,
  }, async () => {
    const keygen = [programPaths["dbsync-keygen"], "--certificate", "--out", "tls", "--san", "127.0.0.1"];
    const made = execFileSync(process.execPath, keygen, { cwd: cluster.folder, encoding: "utf8" });
    const pin = /sha256:[\da-f]{64}/.exec(made)?.[0] ?? assert.fail(made);
    const files = [
      "--tls-cert",
      join(cluster.folder, "tls/tls-cert.pem"),
      "--tls-key",
      join(cluster.folder, "tls/tls-key.pem"),
    ];
    await using secured = await startDaemon({ args: files });

    const plain = await run("doctor", "-s", secured.servers);
    assert.match(plain.stdout, /FAIL {2}.*: tls: [\s\S]*\nFirst fix: .*write dbsyncs:\/\//);
    const untrusted = await run("status", "-s", `dbsyncs://${secured.servers}`);
    assert.equal(untrusted.code, 1);
    assert.match(untrusted.stdout, new RegExp(`pin it: #${pin}`));

    const pinned = await run("doctor", "-s", `dbsyncs://${secured.servers}#${pin}`);
    assert.match(pinned.stdout, /OK {4}dbsyncs:\/\/.*: encrypted, its key is pinned\n/);
    const trusted = await run("status", "-s", `dbsyncs://${secured.servers}`, "--ca", "tls/tls-cert.pem");
    assert.equal(trusted.code, 0);
  });
});
