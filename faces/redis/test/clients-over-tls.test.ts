/** Tests RESP over TLS: the listener uses the daemon's certificate, and common clients work as without TLS. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { createClient } from "redis";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { writeCertificate } from "../../../test/support/certificate-files.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { run } from "../../../test/support/run-program.js";

/** Debian's redis-cli supports TLS; other builds may not. */
const cliHasTls = /--tls\b/.test(String(spawnSync("redis-cli", ["--help"]).output));

async function startWithTls(folder: string) {
  const { certificate, key, pem } = await writeCertificate(folder);
  const daemon = await startDaemon(["--resp", "0", "--tls-cert", certificate, "--tls-key", key]);
  const port = await daemon.portOf("Redis clients");
  return { daemon, port, certificate, pem };
}

test("node-redis works over TLS, and trusts the certificate only if configured to", async () => {
  using folder = makeFolder();
  const { daemon, port, pem } = await startWithTls(folder.path);
  await using _ = daemon;
  const clientWith = (more: { ca?: string }) =>
    createClient({
      socket: { tls: true, host: "localhost", port, reconnectStrategy: false, ...more },
      RESP: 3,
    }).on("error", () => {});
  const client = await clientWith({ ca: pem }).connect();
  const big = "x".repeat(1_000_000);
  assert.equal(await client.set("big", big), "OK");
  assert.equal(await client.get("big"), big);
  assert.deepEqual(await client.multi().incr("n").get("none").exec(), [1, null]);
  await client.close();
  await assert.rejects(clientWith({}).connect(), /self-signed certificate/);
});

test("redis-cli works over TLS", { skip: !cliHasTls && "this redis-cli has no TLS" }, async () => {
  using folder = makeFolder();
  const { daemon, port, certificate } = await startWithTls(folder.path);
  await using _ = daemon;
  const cli = ["-h", "localhost", "-p", String(port), "--tls"];
  const piped = Array.from({ length: 1000 }, (_, i) => `SET k${i} ${i}\r\n`).join("");
  const pipeResult = await run("redis-cli", [...cli, "--cacert", certificate, "--pipe"], { input: piped });
  assert.match(pipeResult.stdout, /errors: 0, replies: 1000/);
  const size = await run("redis-cli", [...cli, "--cacert", certificate, "dbsize"]);
  assert.equal(size.stdout, "1000\n");
  const untold = await run("redis-cli", [...cli, "ping"]);
  assert.match(untold.stderr, /certificate verify failed/);
});
