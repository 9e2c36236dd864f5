/** Tests the program `dbsync` as a child process: its output, its streams, and its exit codes. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Command } from "commander";
import { breakHelp } from "../../../daemon/net/terminal/terminal-text.js";
import { makeProgram } from "../../../tools/cli/program.js";
import { runDbsync } from "../../client/child.js";
import { FakeServer } from "../../client/fake-server.js";
import { some } from "../../support/amount.js";
import { startDaemonHere } from "../../support/daemon-here.js";
import { refusingAddress } from "../../support/free-port.js";
import { repositoryRoot } from "../../support/repository.js";

let folder: string;
let keyFile: string;
let dead: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "dbsync-cli-"));
  keyFile = join(folder, "private.pem");
  copyFileSync(join(repositoryRoot, "test/vectors/php-dbsync/test-rsa2048-private.pem"), keyFile);
  chmodSync(keyFile, 0o600);
  dead = await refusingAddress();
});
after(() => rm(folder, { recursive: true }));

/** Runs `dbsync` with a server list after the subcommand. */
const run = (servers: string, command: string, ...rest: string[]) =>
  runDbsync([command, "-s", servers, ...rest], { folder });

describe("dbsync send", () => {
  test("prints the value and exits with 0", async () => {
    await using server = await FakeServer.start();
    const { code, stdout, stderr } = await run(server.address, "send", "SET", "k", "-5");
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "OK\n", stderr: "" });
    assert.deepEqual(server.commands, ["SET k -5"]);
  });

  for (const late of some([["--json"], ["-k"], ["-x"], ["-k", "-s"], ["--help"]])) {
    test(`refuses ${late.join(" ")} after the command and explains where it belongs; after -- it is an argument`, async () => {
      await using server = await FakeServer.start();
      const [name = ""] = (late[0] as string).split("=");
      const { code, stdout, stderr } = await run(server.address, "send", "SADD", "tags", "red", ...late);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.ok(stderr.includes(`the option '${name}' must come before the command`), stderr);
      assert.deepEqual(server.commands, []);
      await run(server.address, "send", "SADD", "tags", "red", "--", ...late);
      await run(server.address, "send", "--", "SADD", "tags", "red", ...late);
      const command = `SADD tags red ${late.join(" ")}`;
      assert.deepEqual(server.commands, [command, command]);
    });
  }

  test("accepts options with a value at the end of the line", async () => {
    await using server = await FakeServer.start();
    for (const late of [
      ["-s", server.address],
      ["--timeout=9000", "-s", server.address],
      ["--servers", server.address],
    ]) {
      const { code, stdout, stderr } = await runDbsync(["send", "SADD", "tags", "red", ...late], { folder });
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "OK\n", stderr: "" });
    }
    const refused = await run(server.address, "send", "GET", "k", "--timeout", "soon");
    assert.equal(refused.code, 2);
    assert.deepEqual(server.commands, ["SADD tags red", "SADD tags red", "SADD tags red"]);
  });

  test("explains where an option before the subcommand belongs", async () => {
    const { code, stderr } = await run(dead, "-k", "private.pem", "send", "GET", "k");
    assert.equal(code, 2);
    assert.ok(stderr.includes("(Options come after the subcommand: dbsync send -k …)"), stderr);
    assert.ok(!(await run(dead, "send", "--no-such")).stderr.includes("stand behind"));
  });

  test("accepts the command as one argument with spaces", async () => {
    await using server = await FakeServer.start();
    await run(server.address, "send", "SET  k v");
    assert.deepEqual(server.commands, ["SET  k v"]);
  });

  test("prints (nil) for nil, and null as JSON", async () => {
    await using server = await FakeServer.start("nil");
    assert.equal((await run(server.address, "send", "GET", "k")).stdout, "(nil)\n");
    assert.equal((await run(server.address, "send", "--json", "GET", "k")).stdout, '{"value":null}\n');
  });

  test("with --all prints a line for every daemon, and fails only if every daemon fails", async () => {
    await using server = await FakeServer.start();
    const some = await run(`${server.address},${dead}`, "send", "--all", "PING");
    assert.equal(some.code, 0);
    assert.deepEqual(
      some.stdout.split("\n").map((line) => line.split(";")[0]),
      [`${server.address}: OK`, `${dead}: connect: no connection (ECONNREFUSED)`, ""],
    );
    const json = await run(`${server.address},${dead}`, "send", "--all", "--json", "PING");
    const { outcomes } = JSON.parse(json.stdout) as { outcomes: { status: string }[] };
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["ok", "failed"],
    );
    assert.equal((await run(dead, "send", "--all", "PING")).code, 1);
  });

  test("reports the failure of each daemon on standard error if all failed, and exits with 1", async () => {
    const { code, stdout, stderr } = await run(dead, "send", "PING");
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(
      stderr,
      /^dbsync: No daemon answered \(.*\):\n {2}127\.0\.0\.1:\d+: connect: .*is dbsyncd running there\?/,
    );
    assert.ok(!stderr.includes("    at "), "stderr has no stack trace");
    const json = await run(dead, "send", "--json", "PING");
    assert.equal(json.code, 1);
    assert.equal((JSON.parse(json.stdout) as { error: { code: string } }).error.code, "all-failed");
  });

  test("signs with the given key, whose passphrase may be in a file", async () => {
    await using server = await FakeServer.start();
    await run(server.address, "send", "--versions", "1", "-k", keyFile, "PING");
    assert.equal(server.requests[0]?.length, "ds:5:PING\0".length + 256);

    writeFileSync(join(folder, "passphrase"), "not needed by this key\n", { mode: 0o600 });
    assert.equal(
      (
        await run(
          server.address,
          "send",
          "--versions",
          "1",
          "-k",
          keyFile,
          "--passphrase-file",
          "passphrase",
          "PING",
        )
      ).code,
      0,
    );

    const missing = await run(
      server.address,
      "send",
      "--versions",
      "1",
      "-k",
      keyFile,
      "--passphrase-file",
      "none",
      "PING",
    );
    assert.equal(missing.code, 3);
    assert.match(missing.stderr, /none does not exist; expected a file with the passphrase/);
  });

  test("warns of a key that other users can read, and sends the command", async () => {
    await using server = await FakeServer.start();
    const open = join(folder, "open.pem");
    copyFileSync(keyFile, open);
    chmodSync(open, 0o644);
    const { code, stderr } = await run(`dbsync1://${server.address}`, "send", "-k", open, "PING");
    assert.equal(code, 0);
    assert.match(stderr, /^dbsync: warning: .*open\.pem .*chmod 600/);
  });

  for (const [args, message] of some(
    [
      [["--polcy", "first", "PING"], /unknown option '--polcy'/],
      [["--policy", "fastest", "PING"], /fastest/],
      [["--policy", "first", "--all", "PING"], /cannot be used with/],
      [["--timeout", "x", "PING"], /whole number/],
      [["--timeout", "20001", "PING"], /timeout is 20001, allowed: 1 to 20000/],
      [["--stable", "--timeout", "90000", "PING"], /timeout is 90000, allowed: .*with stable 1 to 60000/],
      [[], /missing required argument/],
      [["--versions", "1", "SET", "k", "a b"], /argument 2 contains a space/],
      [["--versions", "1", "SET", "k", ""], /argument 2 is empty/],
    ] as const,
    4,
  )) {
    test(`refuses ${JSON.stringify(args)} with exit code 2`, async () => {
      const { code, stdout, stderr } = await run(dead, "send", ...args);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.match(stderr, message);
    });
  }

  test("exits with 2 for a wrong server list, and with 3 for a key or an ini file that cannot be used", async () => {
    assert.equal((await run("a:x", "send", "PING")).code, 2);
    const key = await run(dead, "send", "-k", "missing.pem", "PING");
    assert.equal(key.code, 3);
    assert.match(key.stderr, /missing\.pem does not exist/);
    const place = await mkdtemp(join(folder, "ini-"));
    writeFileSync(join(place, "dbsync.ini"), "nonsense\n");
    const ini = await runDbsync(["send", "PING"], { folder: place });
    assert.equal(ini.code, 3);
    assert.match(ini.stderr, /dbsync\.ini, line 1: expected "name = value"/);
  });

  test("ends without waiting for the timeout of a hung daemon", async () => {
    await using server = await FakeServer.start();
    await using hung = await FakeServer.start("hang");
    const { code, stdout, ms } = await run(
      `${hung.address},${server.address}`,
      "send",
      "--timeout",
      "20000",
      "PING",
    );
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "OK\n" });
    assert.ok(ms < 20_000, `${ms} ms`);
  });
});

describe("dbsync ping", () => {
  test("reports a missing key if daemons close the connection after an unsigned command, like dbsync send", async () => {
    await using refusing = await FakeServer.start("close on request");
    const hint = /\nWhat to do: the command was sent unsigned.*-k private\.pem/;
    for (const [word, ...rest] of [["ping"], ["send", "GET", "k"], ["send", "--all", "GET", "k"]] as const) {
      const unsigned = await run(refusing.address, word, ...rest);
      assert.equal(unsigned.code, 1);
      assert.match(`\n${unsigned.stderr}`, hint);
      const signed = await run(`dbsync1://${refusing.address}`, word, "-k", keyFile, ...rest);
      assert.equal(signed.code, 1);
      assert.doesNotMatch(`\n${signed.stderr}`, hint);
    }
  });

  test("prints a line for each daemon, and exits with 0 if all answered, otherwise with 1", async () => {
    await using server = await FakeServer.start();
    const good = await run(server.address, "ping");
    assert.equal(good.code, 0);
    assert.match(good.stdout, /^127\.0\.0\.1:\d+: ok, \d+\.\d ms, version 1\n$/);
    const bad = await run(`${server.address},${dead}`, "ping");
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /: ok, .*\n.*: connect: no connection/);
    const { stdout } = await run(`${server.address},${dead}`, "ping", "--json");
    const { outcomes } = JSON.parse(stdout) as { outcomes: { status: string }[] };
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["ok", "failed"],
    );
  });
});

describe("dbsync repl", () => {
  test("sends a batch line by line, continues after errors, and exits with the highest code", async () => {
    await using server = await FakeServer.start();
    const input = "SET a 1\n\nGET  a\nGET b";
    const good = await runDbsync(["repl", "-s", server.address], { folder, input });
    assert.deepEqual([good.code, good.stdout, good.stderr], [0, "OK\nOK\nOK\n", ""]);
    assert.deepEqual(server.commands, ["SET a 1", "GET  a", "GET b"]);
    const bad = await runDbsync(["repl", "-s", server.address], { folder, input: "GET a\0b\nGET c\n" });
    assert.deepEqual([bad.code, bad.stdout], [2, "OK\n"]);
    assert.match(bad.stderr, /^dbsync: The command cannot be sent/);
  });

  test("with --json prints an object for each line", async () => {
    await using server = await FakeServer.start();
    const { code, stdout } = await runDbsync(["repl", "--json", "-s", server.address], {
      folder,
      input: "GET a\nSET a '\n",
    });
    const [first = "", second = ""] = stdout.split("\n");
    assert.deepEqual(JSON.parse(first), { value: "OK" });
    assert.equal((JSON.parse(second) as { error: { code: string } }).error.code, "bad-command");
    assert.equal(code, 2);
  });

  test("removes quotes, and reports arguments that version 1 cannot transmit", async () => {
    await using server = await FakeServer.start();
    const { code, stdout, stderr } = await runDbsync(["repl", "-s", server.address], {
      folder,
      input: `SET "a" 'b'\nSET a "b c"\nSET a "\\xff"\n`,
    });
    assert.deepEqual([code, stdout], [2, "OK\n"]);
    assert.deepEqual(server.commands, ["SET a b"]);
    assert.match(stderr, /argument 2 contains a space[\s\S]*version 1 supports only text/);
  });
});

/** Returns an answer to TIME that is wrong by `offBy` seconds. */
const time = (offBy = 0) => `${Math.floor(Date.now() / 1000) + offBy}\n0`;

describe("dbsync doctor", () => {
  const grades = (stdout: string) => stdout.split("\n").map((line) => line.slice(0, 4).trim());

  test("reports that all checks passed", async () => {
    await using server = await FakeServer.start();
    server.value = time;
    const { code, stdout } = await run(server.address, "doctor", "-k", keyFile, "--versions", "1,2");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /usable, mode 0600, fingerprint [0-9a-f]{64}\n/);
    assert.match(stdout, /resolved, reached, speaks version 1\n/);
    assert.match(stdout, /accepts the signature \(version 1\), \d/);
    assert.match(stdout, /its clock is \d+ ms /);
    assert.match(stdout, /\nAll checks passed\.\n$/);
  });

  test("names the first thing to fix and exits with 1", async () => {
    await using refusing = await FakeServer.start("close on request");
    const { code, stdout } = await run(`${dead},dbsync1://${refusing.address}`, "doctor", "-k", keyFile);
    assert.equal(code, 1);
    assert.deepEqual(grades(stdout), ["OK", "OK", "OK", "FAIL", "OK", "FAIL", "Firs", ""]);
    assert.match(stdout, /\nFirst fix: 127\.0\.0\.1:\d+: is dbsyncd running there\?\n$/);
    assert.match(stdout, /no-reason: .*a wrong or missing key/);
  });

  test("explains possible causes of a refusal, with a key and without", async () => {
    await using refusing = await FakeServer.start("close on request");
    const signed = await run(refusing.address, "doctor", "-k", keyFile, "--versions", "1");
    assert.match(signed.stdout, /\nFirst fix: .*compare the fingerprint above with "key accepted"/);
    const unsigned = await run(refusing.address, "doctor", "-k", "");
    assert.match(unsigned.stdout, /\nFirst fix: .*specify the private key \(-k, DBSYNC_SIGNKEY/);
  });

  test("explains possible causes if a daemon closes the connection after the hello, and how to allow version 1", async () => {
    await using server = await FakeServer.start();
    const { code, stdout } = await run(server.address, "doctor", "-k", keyFile);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /FAIL {2}.*speaks only version 1, is at its connection limit, or an attacker hides version 2\n/,
    );
    assert.deepEqual(grades(stdout), ["OK", "OK", "OK", "OK", "FAIL", "Firs", ""], "reported once");
    assert.match(stdout, /resolved, reached\n/, "no version is printed");
    assert.match(
      stdout,
      /First fix: .*: update it; .*DBSYNC_VERSIONS=1, dbsync\.versions = 1 .*dbsync1:\/\//,
    );
    assert.deepEqual(server.requests, []);
  });

  test("fails for a wrong clock", async () => {
    await using server = await FakeServer.start();
    server.value = () => time(-60);
    const { code, stdout } = await run(server.address, "doctor");
    assert.equal(code, 1);
    assert.match(stdout, /FAIL {2}.* its clock is \d+ s behind this machine's\nFirst fix: .*NTP/);
  });

  test("reports how long a call waits for the signature of a large RSA key", async () => {
    await using server = await FakeServer.start();
    server.value = time;
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const { code, stdout } = await run(server.address, "doctor", "-k", pem, "--versions", "1");
    assert.equal(code, 0, stdout);
    assert.match(
      stdout,
      /RSA with 3072 bits: a single call waits \d+\.\d ms for its signature \(docs\/keys\.md/,
    );
  });

  test("accepts a key as PEM text, and never shows it", async () => {
    await using server = await FakeServer.start();
    server.value = time;
    const pem = readFileSync(keyFile, "utf8");
    const { code, stdout, stderr } = await run(server.address, "doctor", "-k", pem, "--versions", "1");
    assert.ok(!`${stdout}${stderr}`.includes("PRIVATE KEY"), "the report may be passed to other people");
    assert.match(stdout, /key: configured as PEM text \(from the command line\)\n/);
    assert.match(stdout, /key: usable, fingerprint [0-9a-f]{64}\n/);
    assert.equal(code, 0);
  });

  test("with --json prints all findings and the first fix", async () => {
    const { code, stdout } = await run(dead, "doctor", "--json", "-k", keyFile);
    const { findings, firstFix } = JSON.parse(stdout) as { findings: { grade: string }[]; firstFix: string };
    assert.deepEqual(
      findings.map(({ grade }) => grade),
      ["OK", "OK", "OK", "FAIL"],
    );
    assert.match(firstFix, /is dbsyncd running there\?$/);
    assert.equal(code, 1);
  });

  test("fails for a key that cannot be used, before it sends anything", async () => {
    await using server = await FakeServer.start();
    const { code, stdout } = await run(server.address, "doctor", "-k", "missing.pem");
    assert.equal(code, 3);
    assert.match(stdout, /FAIL {2}key: .*missing\.pem does not exist.*\nFirst fix: key: /);
    assert.equal(server.accepted, 0);
  });
});

/** Returns the names and the help of all subcommands that the help lists. */
function helpsOf(command: Command): [name: string, help: string][] {
  const shown = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== "help");
  return shown.flatMap((one) => {
    let help = "";
    one.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 100 }).outputHelp();
    return [[one.name(), help], ...helpsOf(one)] as [string, string][];
  });
}

describe("dbsync", () => {
  test("prints its version, and help with examples and exit codes, also for each subcommand", async () => {
    const { code, stdout } = await runDbsync(["--help"]);
    assert.equal(code, 0);
    for (const [name, help] of [["dbsync", stdout], ...helpsOf(await makeProgram())] as const) {
      assert.match(help, /Examples:\n {2}\S[\s\S]*Exit codes:\n {2}0 {2}ok/, name);
      const lines = breakHelp(help, 100).split("\n");
      assert.deepEqual(
        lines.filter((line) => line.length > 100 && !line.startsWith(" ")),
        [],
        name,
      );
      assert.deepEqual(lines.join(" ").split(/\s+/), help.split(/\s+/), name);
    }
    assert.match((await runDbsync(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
  });

  test("get names the commands that read values of other types", async () => {
    await using daemon = await startDaemonHere([]);
    const address = `127.0.0.1:${daemon.port}`;
    await run(address, "send", "RPUSH", "my list", "a");
    const { code, stderr } = await run(address, "get", "my list");
    assert.equal(code, 1);
    assert.match(stderr, /WRONGTYPE.*\n\(GET reads strings; dbsync send TYPE 'my list' prints the type/);
    assert.match(stderr, /\n {2}list {4}dbsync send LRANGE 'my list' 0 -1\n/);
    await run(address, "send", "SET", "word", "a");
    const word = await run(address, "get", "word");
    assert.deepEqual([word.code, word.stdout, word.stderr], [0, "a\n", ""]);
  });

  test("refuses an unknown or missing subcommand with exit code 2", async () => {
    const unknown = await runDbsync(["sned"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /^dbsync: unknown command 'sned'[\s\S]*send/);
    assert.equal((await runDbsync(["help", "sned"])).stderr, unknown.stderr);
    assert.match((await runDbsync(["version"])).stderr, /\(Did you mean --version\?\)\n$/);
    assert.match((await runDbsync(["get"])).stderr, /missing required argument 'key'/);
    assert.match((await runDbsync(["get", "k"])).stderr, /GET k/);
    assert.equal((await runDbsync([])).code, 2);
  });

  test("refuses a second -k of log and blame, where it was probably meant as a key of the database", async () => {
    const hints = { log: "--touching <key>", blame: "dbsync blame <key>" };
    for (const [name, hint] of Object.entries(hints)) {
      const { code, stderr } = await run(dead, name, "-k", keyFile, "-k", "visits");
      assert.equal(code, 2);
      assert.match(stderr, /argument 'visits' is invalid\. The option is set twice/);
      assert.ok(stderr.includes(hint), stderr);
    }
    const once = await run(dead, "log", "-k", keyFile);
    assert.doesNotMatch(once.stderr, /set twice/);
  });

  test("suggests dbsync send, and no similar subcommand, for a command of the store", async () => {
    for (const [words, typed] of some(
      [
        [["hset", "k", "f", "a b"], "hset k f 'a b'"],
        [["del", "it's"], "del 'it'\\''s'"],
        [["INCR", "k", "-s", "127.0.0.1:1"], "INCR k -s 127.0.0.1:1"],
        [["help", "incr"], "incr"],
      ] as const,
      2,
    )) {
      const { code, stdout, stderr } = await runDbsync([...words]);
      assert.deepEqual([code, stdout], [2, ""]);
      const name = typed.split(" ")[0];
      assert.equal(
        stderr,
        `dbsync: dbsync has no command ${name}; ${name} is a command of the store: dbsync send ${typed}\n`,
      );
    }

    const early = await runDbsync(["-k", "app.pem", "hset", "k", "f", "v"]);
    assert.match(
      early.stderr,
      /unknown option '-k'[\s\S]*\(Options come after the subcommand: dbsync send -k …\)/,
    );
    const keys = await runDbsync(["keys", "a*"]);
    assert.match(
      keys.stderr,
      /unknown command 'a\*'[\s\S]*\(keys is also a command of the store: dbsync send keys 'a\*'\)/,
    );
  });
});
