/**
 * Tests clients/php/dbsync.php with real daemons: signed calls, a killed and a hung daemon, misses, errors, and a
 * restart.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { refusingAddress } from "../support/free-port.js";
import { programPaths } from "../support/programs.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { until } from "../support/until.js";

import { runPhp, untilClosedBy } from "./running.js";

const skip = skipWithout("php");

describe("dbsync.php and dbsyncd", { skip }, () => {
  let keys = "";
  let privateKey = "";
  let daemons: DaemonProcess[] = [];

  before(async () => {
    keys = await mkdtemp(join(tmpdir(), "dbsync-php-"));
    const keygen = await run(process.execPath, [programPaths["dbsync-keygen"], "--out", keys]);
    assert.equal(keygen.code, 0, keygen.stderr);
    privateKey = join(keys, "private.pem");
    const start = () => startDaemon(["-s", join(keys, "public.pem")]);
    daemons = await Promise.all([start(), start(), start()]);
  });

  after(async () => {
    await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
    await rm(keys, { recursive: true });
  });

  const address = (daemon: DaemonProcess | undefined) => `${daemon?.address}:${daemon?.port}`;

  /**
   * Runs calls in sequence in one script, which waits until all daemons have executed them. @returns the value and
   * the error of each call
   */
  async function send(
    commands: readonly string[],
    servers?: readonly string[],
    ini = {},
    patience = {},
  ): Promise<unknown> {
    const all = servers ?? daemons.map(address);
    return runPhp(
      `$result = [];
      foreach (json_decode(stream_get_contents(STDIN)) as $command) {
        $result[] = [dbsync_send($command), dbsync_last_error()];
      }`,
      {
        ini: {
          "dbsync.servers": all.join(", "),
          "dbsync.signkey": privateKey,
          "dbsync.format": "text",
          ...ini,
        },
        input: JSON.stringify(commands),
        patience: { LAST_DELIVERY_SECONDS: 60, ...patience },
      },
    );
  }

  test("Signed commands reach all three daemons", async () => {
    const answers = await send(["SET greeting hello", "INCR visits", "GET greeting"]);
    assert.deepEqual(answers, [
      ["OK", null],
      ["1", null],
      ["hello", null],
    ]);
    for (const daemon of daemons)
      assert.deepEqual(await send(["GET greeting", "GET visits"], [address(daemon)]), [
        ["hello", null],
        ["1", null],
      ]);
  });

  test("The default form of a result is that of the extension", async () => {
    const [first] = (await send(["PING"], undefined, { "dbsync.format": "php-dbsync" })) as [string, null][];
    assert.deepEqual(first, ["redis:5:PONG", null]);
  });

  test("A read of an absent key returns null without an error", async () => {
    assert.deepEqual(await send(["GET absent"]), [[null, null]]);
  });

  test("A command error returns null and sets the error, and the next call works", async () => {
    const [bad, good] = (await send(["NOSUCHCMD", "PING"])) as [[null, string], [string, null]];
    assert.equal(bad[0], null);
    assert.equal(bad[1].match(/command: ERR unknown command/g)?.length, 3, bad[1]);
    assert.deepEqual(good, ["PONG", null]);
  });

  test("Unsigned calls and calls with another key receive no answer", async () => {
    const other = join(keys, "other");
    assert.equal((await run(process.execPath, [programPaths["dbsync-keygen"], "--out", other])).code, 0);
    for (const [key, reason] of [
      [
        "",
        /unsigned: this daemon accepts only signed commands: specify the private key \(dbsync\.signkey, DBSYNC_SIGNKEY\)/,
      ],
      [join(other, "private.pem"), /unknown-key/],
    ] as const) {
      const [[value, error]] = (await send(["SET greeting bad"], undefined, { "dbsync.signkey": key })) as [
        [null, string],
      ];
      assert.equal(value, null);
      assert.match(error, reason);
    }
    assert.deepEqual(await send(["GET greeting"]), [["hello", null]]);
  });

  test("A killed daemon does not affect the caller", async () => {
    const servers = [await refusingAddress(), address(daemons[0]), address(daemons[1])];
    assert.deepEqual(await send(["SET a 1", "GET a"], servers), [
      ["OK", null],
      ["1", null],
    ]);
  });

  test("A stopped daemon does not affect the caller, and executes the commands when it resumes", async () => {
    const hung = daemons[0] as DaemonProcess;
    hung.kill("SIGSTOP");
    const start = performance.now();
    const patience = { LAST_DELIVERY_SECONDS: 2 };
    assert.deepEqual(await send(["SET stopped 1"], undefined, {}, patience), [["OK", null]]);
    assert.ok(performance.now() - start < 30_000);
    hung.kill("SIGCONT");
    const get = async () => JSON.stringify(await send(["GET stopped"], [address(hung)]));
    await until("the daemon has executed the command", async () => (await get()) === '[["1",null]]');
  });

  test("If all daemons are stopped, the error names each of them after 3 s", async () => {
    for (const daemon of daemons) daemon.kill("SIGSTOP");
    const patience = { CALL_SECONDS: 3, LAST_DELIVERY_SECONDS: 0.2 };
    const [[value, error]] = (await send(["PING"], undefined, {}, patience)) as [[null, string]];
    for (const daemon of daemons) daemon.kill("SIGCONT");
    assert.equal(value, null);
    for (const daemon of daemons) assert.ok(error.includes(`${address(daemon)}: timeout`), error);
  });

  test("The client reopens a connection that the daemon has closed because it was idle", async () => {
    const args = ["-s", join(keys, "public.pem"), "--idle-timeout", "1500ms", "--log-level", "debug"];
    await using daemon = await startDaemon(args);
    // The script waits until the operating system has received the end. Bytes that it writes earlier would be lost.
    const code = `$result = [dbsync_send('PING')];
      ${untilClosedBy(daemon.port)}
      $result[] = dbsync_send('PING'); $result[] = dbsync_last_error()`;
    const ini = { "dbsync.servers": address(daemon), "dbsync.signkey": privateKey };
    assert.deepEqual(await runPhp(code, { ini }), ["redis:5:PONG", "redis:5:PONG", null]);
  });
});
