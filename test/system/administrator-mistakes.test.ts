/**
 * Attacks that exploit mistakes of an administrator: files that other users can read, an empty user file, ports
 * without users, and commands that connect to other servers.
 */

import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { NIL } from "../../protocol/reply.js";
import { type DaemonProcess, type LogLine, runDaemon, startDaemon } from "../support/daemon-process.js";
import { programPaths } from "../support/programs.js";
import { askRedis, textOf } from "../support/redis-connection.js";
import { startRedis } from "../support/redis-server.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { until } from "../support/until.js";
import { Client } from "./attacker/client.js";
import { makeKey } from "./attacker/key.js";
import { Victims } from "./attacker/victims.js";

const LIMIT = { timeout: 300_000 };
const USERS = "user default off\nuser alice on >secret ~* +@all\n";

/** Returns a predicate that matches a log line with a warning about a file. */
const warnsOf = (name: string) => (line: LogLine) =>
  ["warn", "error"].includes(line.level) && JSON.stringify(line).includes(name);

async function respPort(daemon: DaemonProcess): Promise<number> {
  const line = await daemon.logged(({ msg, port }) => /Redis|RESP/i.test(msg) && typeof port === "number");
  return Number(line["port"]);
}

describe("mistakes of an administrator", { concurrency: true }, () => {
  test("a daemon warns about a daemon.pem that other users can read", LIMIT, async () => {
    await using victims = await Victims.start(1);
    await victims.restart(0, () => chmodSync(join(victims.folder(0), "daemon.pem"), 0o644));
    const warned = warnsOf("daemon.pem");
    await until(
      "the daemon listens",
      () => victims.daemons[0]?.log.some(({ msg }) => msg === "listening") === true,
    );
    assert.ok(victims.daemons[0]?.log.some(warned), "no warning");
  });

  test("a daemon warns about an ACL file that other users can read", LIMIT, async () => {
    using scratch = new ScratchFolder();
    const file = scratch.file("users.acl", USERS, 0o644);
    chmodSync(file, 0o644);
    await using daemon = await startDaemon(["--resp", "0", "--acl-file", file]);
    assert.ok(daemon.log.some(warnsOf("users.acl")), "no warning");
  });

  test("a daemon keeps its users if the ACL file is empty at a SIGHUP", LIMIT, async () => {
    using scratch = new ScratchFolder();
    const file = scratch.file("users.acl", USERS);
    await using daemon = await startDaemon(["--resp", "0", "--acl-file", file]);
    const port = await respPort(daemon);
    assert.match(await textOf(port, "GET", "k"), /NOAUTH/);
    for (const text of ["", "\n\n", "# nobody\n"]) {
      writeFileSync(file, text);
      const lines = daemon.log.length;
      daemon.kill("SIGHUP");
      await until("the daemon logs a line about the file", () => daemon.log.length > lines);
      // The daemon has logged a line about the file, so it has read it.
      assert.match(await textOf(port, "GET", "k"), /NOAUTH/, JSON.stringify(text));
      assert.match(await textOf(port, "SET", "k", "v"), /NOAUTH/, JSON.stringify(text));
    }
  });

  test("a daemon refuses --resp on a public address with TLS and without users", LIMIT, async () => {
    using scratch = new ScratchFolder();
    const keygen = programPaths["dbsync-keygen"];
    const generated = await run(process.execPath, [
      keygen,
      "--certificate",
      "--san",
      "localhost",
      "--out",
      scratch.path,
    ]);
    assert.equal(generated.code, 0, generated.stderr);

    const tls = [
      "--tls-cert",
      join(scratch.path, "tls-cert.pem"),
      "--tls-key",
      join(scratch.path, "tls-key.pem"),
    ];

    const application = scratch.file("public.pem", makeKey().pem);
    const address = Object.values(networkInterfaces())
      .flat()
      .find((one) => one?.internal === false && one.family === "IPv4");
    const listenAddress = `${address?.address ?? "0.0.0.0"}:0`;

    const ended = await runDaemon(["-s", application, "--resp", listenAddress, ...tls, "--check-config"]);
    assert.notEqual(ended.code, 0, ended.stdout);
    assert.match(ended.stderr, /--[a-z-]*unsigned|--acl-file/);
  });

  test("the key of an application cannot use MIGRATE of the Redis backend to copy keys to another server", {
    ...LIMIT,
    skip: skipWithout("redis-server"),
  }, async () => {
    await using redis = await startRedis();
    await using foreign = await startRedis();
    using scratch = new ScratchFolder();
    const key = makeKey();
    const database = `redis:127.0.0.1:${redis.port}`;
    await using daemon = await startDaemon(["-s", scratch.file("public.pem", key.pem), "-d", database]);
    using client = await Client.open(daemon.port, key);

    await until(
      "the key is accepted",
      async () => (await client.ask([["SET", "mine", "v"]])).refused === null,
    );

    const { replies } = await client.ask([
      ["MIGRATE", "127.0.0.1", String(foreign.port), "mine", "0", "1000"],
    ]);
    assert.match(JSON.stringify(replies), /NOPERM/);
    assert.equal(await client.text("GET", "mine"), "v");
    assert.deepEqual(await askRedis(foreign.port, "GET", "mine"), NIL);
  });

  test("docs/keys.md explains the rights of a key that may run KEY RULES on itself", () => {
    assert.match(
      readFileSync(join(repositoryRoot, "docs/keys.md"), "utf8"),
      /KEY RULES[^.]*\b(itself|its own|themselves)\b/,
    );
  });
});
