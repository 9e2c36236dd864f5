/**
 * Tests the settings, server lists and keys of clients/php/dbsync.php, commands that cannot be sent, and loading the
 * file.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { answer, fakeDaemon } from "../support/fake-daemon.js";
import { refusingAddress } from "../support/free-port.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { PHP_FILE, runPhp, sendOne } from "./running.js";

const vectorFolder = join(repositoryRoot, "test", "vectors", "php-dbsync");

describe("dbsync.php's settings", { skip: skipWithout("php"), concurrency: 2 }, () => {
  test("The format `text`, from php.ini or the environment, returns the plain value", async () => {
    await using daemon = await fakeDaemon(answer("a:b:c"));
    assert.equal((await sendOne([daemon.address], { "dbsync.format": "text" })).value, "a:b:c");
    const env = { DBSYNC_SERVERS: daemon.address, DBSYNC_FORMAT: "text" };
    assert.equal(await runPhp("$result = dbsync_send('GET k')", { env }), "a:b:c");
  });

  test("The environment takes precedence over php.ini, and an argument over both", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    const dead = await refusingAddress();
    const ini = { "dbsync.servers": dead };
    const fromEnv = await runPhp("$result = dbsync_send('GET k')", {
      ini,
      env: { DBSYNC_SERVERS: daemon.address },
    });
    assert.equal(fromEnv, "redis:2:v");
    const fromArgument = await runPhp(`$result = dbsync_send('GET k', '${daemon.address}')`, {
      ini,
      env: { DBSYNC_SERVERS: dead },
    });
    assert.equal(fromArgument, "redis:2:v");
  });

  test("A server list may contain names, spaces and duplicates", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    assert.equal((await sendOne([` localhost:${daemon.port} `, ""])).value, "redis:2:v");
    assert.equal((await sendOne([` ${daemon.address}`, daemon.address])).value, "redis:2:v");
    assert.equal(daemon.frames.length, 2);
    assert.equal(
      (await sendOne([`localhost:${daemon.port}`, `LocalHost:${daemon.port}`])).value,
      "redis:2:v",
    );
    assert.equal(daemon.frames.length, 3);
  });

  test("A server list may contain IPv6 addresses", async (t) => {
    const daemon = await fakeDaemon(answer("v"), "::1").catch(() => null);
    if (daemon === null) return t.skip("no IPv6 here");
    await using _ = daemon;
    assert.equal((await sendOne([` [::1]:${daemon.port}`, ` [::1]:${daemon.port}`])).value, "redis:2:v");
    assert.equal(daemon.frames.length, 1);
  });

  for (const [servers, problem] of [
    ["127.0.0.1:99999", /"127\.0\.0\.1:99999" is not host, host:port or \[IPv6\]:port/],
    ["127.0.0.1:abc", /is not host/],
    ["[::1:1111", /is not host/],
    ["[localhost]:1111", /is not host/],
    ["http://x", /is not host/],
    ["010.0.0.1", /is not host/],
    ["a:1,dbsync2://a:1", /"dbsync2:\/\/a:1" is in the list in another form already/],
    ["::1,dbsyncs://[0:0:0:0:0:0:0:1]:1111", /is in the list in another form already/],
    [" , ", /names no server/],
  ] as const) {
    test(`The server list "${servers}" causes an error that names it`, async () => {
      const { value, error } = await sendOne([servers]);
      assert.equal(value, null);
      assert.match(error, problem);
    });
  }

  for (const [command, problem] of [
    ["''", /the command is empty/],
    ["'   '", /the command is empty/],
    ['"GET a\\0b"', /cannot contain a NUL/],
  ] as const) {
    test(`The command ${command} causes an error and is not sent`, async () => {
      await using daemon = await fakeDaemon(answer("v"));
      const result = await runPhp(`$result = [dbsync_send(${command}), dbsync_last_error()]`, {
        ini: { "dbsync.servers": daemon.address },
      });
      const [value, error] = result as [null, string];
      assert.equal(value, null);
      assert.match(error, problem);
      assert.equal(daemon.connections, 0);
    });
  }

  test("An unusable key causes an error that names the file, and nothing is sent", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    for (const [file, problem] of [
      ["/nowhere/private.pem", /: \/nowhere\/private\.pem does not exist/],
      // The folder of a web server is usually not the one that the relative path was written for.
      ["nowhere.pem", new RegExp(`: ${process.cwd()}/nowhere\\.pem does not exist`)],
      [join(vectorFolder, "test-rsa2048-public.pem"), /contains a public key, which cannot sign/],
      [join(vectorFolder, "README.md"), /contains no PEM block/],
    ] as const) {
      const { value, error } = await sendOne([daemon.address], { "dbsync.signkey": file });
      assert.equal(value, null);
      assert.match(error, problem);
    }
    assert.equal(daemon.connections, 0);
  });

  test("The file defines nothing if the extension is loaded, and can be loaded twice", async () => {
    const file = JSON.stringify(PHP_FILE);
    assert.equal(await runPhp(`require ${file}; $result = function_exists('dbsync_reset')`), true);
    const code = `function dbsync_send() {} require ${file}; var_dump(function_exists('dbsync_reset'), class_exists('Dbsync\\Client'));`;
    assert.equal((await run("php", ["-r", code])).stdout, "bool(false)\nbool(false)\n");
  });
});
