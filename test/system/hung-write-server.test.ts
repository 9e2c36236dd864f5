/**
 * A write to a hung server is answered when the balancer declares that server down, long before
 * --reply-timeout. The next write to the same database goes to the other server.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { freePort } from "../support/free-port.js";
import { within } from "../support/pause.js";
import { programPaths } from "../support/programs.js";
import { authorizeDaemons } from "../support/resp-trio.js";
import { SqlLineClient } from "../support/sql-line-client.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

const REPLY_TIMEOUT_MS = 90_000;
/**
 * The maximum time of an answer in milliseconds. The balancer notices missing heartbeats after a few seconds; the
 * remaining time is for a busy machine.
 */
const ANSWERED_MS = 30_000;

test("a balancer does not make clients wait for a hung write server until --reply-timeout", {
  timeout: 300_000,
}, async () => {
  const sql = [await freePort(), await freePort()] as const;
  const listen = await freePort();
  await using pair = await Trio.start((index) => ["--sql", String(sql[index])], 2);
  await authorizeDaemons(pair);
  const args = [...sql.map((port) => `127.0.0.1:${port}`), "--listen", String(listen)];
  const options = ["--single-primary", "--reply-timeout", String(REPLY_TIMEOUT_MS)];
  const proxy = spawn(process.execPath, [programPaths["dbsync-proxy"], "balance", ...args, ...options], {
    stdio: "ignore",
  });
  try {
    await until(
      "the balancer forwards writes",
      async () => {
        using client = await SqlLineClient.open(listen);
        return !/rror|diso/.test(await client.ask("create database toko"));
      },
      { mayFail: true },
    );
    using writer = await SqlLineClient.open(listen);
    await writer.ask("use toko");
    await until(
      "the table exists",
      async () => !/rror|diso/.test(await writer.ask("create table t (k number)")),
      { mayFail: true },
    );
    await writer.ask("insert into t values (1)");

    pair.daemon(0).kill("SIGSTOP");
    const waiting = writer.ask("insert into t values (2)");
    assert.notEqual(await within(ANSWERED_MS, waiting), null, `no answer for ${ANSWERED_MS} ms`);
    using other = await SqlLineClient.open(listen);
    await other.ask("use toko");
    const next = await within(ANSWERED_MS, other.ask("insert into t values (3)"));
    assert.match(next ?? "", /RESULT_MESSAGE/, "the next write goes to the other server");
  } finally {
    pair.daemon(0).kill("SIGCONT");
    proxy.kill("SIGKILL");
    await once(proxy, "exit");
  }
});
