/** Tests a sidecar's answers when daemons hang, stop, return, differ, or no longer know the sidecar's key. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createClient } from "../../../client/dbsync-send.js";
import type { Reply } from "../../../protocol/reply.js";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { type TestCertificate, writeCertificate } from "../../../test/support/certificate-files.js";
import { runDaemon } from "../../../test/support/daemon-process.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { USER_LISTENER_NAMES } from "../../../test/support/installed-options.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";
import { DAEMONS, type PlainScene, startPlain } from "./scene.js";

const OK: Reply = { kind: "status", text: "OK" };
const bulk = (bytes: string): Reply => ({ kind: "bulk", bytes });
const problem = (reply: Reply) =>
  reply.kind === "error" ? reply.text : `no error: ${JSON.stringify(reply)}`;

describe("a sidecar of plain daemons", () => {
  let scene: PlainScene;
  before(async () => {
    scene = await startPlain();
  });
  after(() => scene[Symbol.asyncDispose]());

  test("writes to hanging daemons may have been applied, reads were not, and later commands succeed", async () => {
    const { port } = await scene.sidecar("--backend-timeout", "2000ms");
    using redis = await RedisConnection.open(port);
    using reader = await RedisConnection.open(port);
    using writer = await RedisConnection.open(port);
    using looker = await RedisConnection.open(port);
    await until("the key is written", async () => (await redis.call("SET", "k", "before")).kind === "status");

    for (const daemon of scene.daemons) daemon.kill("SIGSTOP");
    try {
      // All commands are sent in one turn, because a daemon that is silent for a few seconds receives no further ones.
      const answers = await Promise.all([
        redis.call("SET", "k", "behind"),
        writer.call("SQL", "", "create database d"),
        reader.call("GET", "k"),
        looker.call("SQL", "", "show databases"),
      ]);

      const [set, create, get, show] = answers.map(problem) as [string, string, string, string];
      for (const written of [set, create]) assert.match(written, /^MAYBEAPPLIED /);
      for (const read of [get, show]) assert.match(read, /^NOTAPPLIED /);
    } finally {
      for (const daemon of scene.daemons) daemon.kill("SIGCONT");
    }

    await until("the write is applied", async () => {
      const value = await redis.call("GET", "k");
      return value.kind === "bulk" && value.bytes === "behind";
    });
  });

  test("SIGHUP reads users and limits again, but settings of the daemons need a restart", async () => {
    const users = join(scene.folder, "users.acl");
    const config = join(scene.folder, "sidecar.toml");
    writeFileSync(users, "user ann on >secret ~* +@all\n");
    writeFileSync(config, `acl-file = "${users}"\nlog-level = "info"\n`);

    const { port, process } = await scene.sidecar("--config", config);
    using redis = await RedisConnection.open(port);
    assert.deepEqual(await redis.call("SET", "k", "v"), OK);

    writeFileSync(users, "user default off\nuser ann on >secret ~* +@all\n");
    writeFileSync(config, `acl-file = "${users}"\nlog-level = "info"\npolicy = "all"\n`);
    process.kill("SIGHUP");
    const { name } = await process.logged(({ msg }) => /applies until a restart/.test(msg));
    assert.equal(name, "policy");
    await until("a password is required", async () => {
      using other = await RedisConnection.open(port);
      return problem(await other.call("GET", "k")).startsWith("NOAUTH ");
    });

    using later = await RedisConnection.open(port);
    assert.deepEqual(await later.call("AUTH", "ann", "secret"), OK);
    assert.deepEqual(await later.call("GET", "k"), bulk("v"));
  });

  // This test stops two daemons.
  test("with --policy majority the majority's answer counts, and without a majority there is none", async () => {
    const { port } = await scene.sidecar("--policy", "majority");
    const { port: first } = await scene.sidecar();
    using redis = await RedisConnection.open(port);
    using quick = await RedisConnection.open(first);

    for (let number = 0; number < DAEMONS; number++) {
      await using client = scene.only(number);
      await client.call(["SET", "most", number === 0 ? "other" : "same"]);
      await client.call(["SET", "all", `${number}`]);
    }

    assert.deepEqual(await redis.call("GET", "most"), bulk("same"));
    assert.match(problem(await redis.call("GET", "all")), /^NOTAPPLIED .*differ/);
    assert.match((await quick.call("GET", "all")).kind, /^bulk$/);

    await scene.daemons[0]?.stop();
    assert.deepEqual(await redis.call("GET", "most"), bulk("same"));
    assert.deepEqual(await redis.call("SET", "most", "new"), OK);

    await scene.daemons[1]?.stop();
    assert.match(problem(await redis.call("SET", "most", "newer")), /^MAYBEAPPLIED /);
    assert.deepEqual(await quick.call("GET", "most"), bulk("newer"));
  });

  // This test stops all daemons.
  test("a write is not applied while all daemons are down, and succeeds once a daemon is back", async () => {
    const { port } = await scene.sidecar();
    using redis = await RedisConnection.open(port);
    assert.deepEqual(await redis.call("SET", "k", "1"), OK);

    for (const daemon of scene.daemons) await daemon.stop();
    // The sidecar may not have noticed yet that the last daemon has stopped.
    await until("the error reports that the daemons are unreachable", async () =>
      problem(await redis.call("SET", "k", "2")).startsWith("NOTAPPLIED No daemon answered"),
    );

    assert.match(problem(await redis.call("WATCH", "k")), /^NOTAPPLIED /);
    for (const argv of [["MULTI"], ["SET", "k", "3"], ["EXEC"]]) redis.queue(argv);
    assert.match(problem((await redis.flush()).at(-1) as Reply), /^NOTAPPLIED /);
    assert.deepEqual(await redis.call("MULTI"), OK, "the connection continues");
    assert.deepEqual(await redis.call("DISCARD"), OK);

    await scene.restart(1);
    await until("a write succeeds", async () => (await redis.call("SET", "k", "4")).kind === "status");
    assert.deepEqual(await redis.call("GET", "k"), bulk("4"));
  });
});

test("a revoked key can no longer write, and the error names the reason", async () => {
  const root = makeKeyPair();
  await using scene = await startPlain({ args: () => ["--root-key", root.file] });
  const { port, process } = await scene.sidecar();
  using redis = await RedisConnection.open(port);
  assert.deepEqual(await redis.call("SET", "k", "v"), OK);
  const { fingerprint } = await process.logged(({ msg }) => msg === "signing for the daemons");
  await using administrator = createClient({
    servers: scene.servers,
    key: root.privateKey,
    policy: "all",
  });

  await administrator.call(["KEY", "REVOKE", String(fingerprint)]);
  assert.match(
    problem(await redis.call("SET", "k", "w")),
    /^NOTAPPLIED No daemon accepted .*(revoked|unknown-key)/,
  );
  assert.match(problem(await redis.call("GET", "k")), /^NOTAPPLIED /);
  assert.deepEqual(await redis.call("PING"), { kind: "status", text: "PONG" });
});

test("a sidecar trusts the certificates of daemons only with --ca", async () => {
  let authority = "";
  let written: Promise<TestCertificate> | null = null;
  await using scene = await startPlain({
    scheme: "dbsyncs",
    async args(_, folder) {
      // All tests share one certificate. Otherwise one test could read the file while another test writes it.
      written ??= writeCertificate(folder);
      const { certificate, key } = await written;
      authority = certificate;
      return ["--tls-cert", certificate, "--tls-key", key];
    },
  });

  const { port } = await scene.sidecar("--ca", authority);
  using trusting = await RedisConnection.open(port);
  assert.deepEqual(await trusting.call("SET", "k", "v"), OK);

  const { port: other } = await scene.sidecar();
  using doubting = await RedisConnection.open(other);
  assert.match(problem(await doubting.call("SET", "k", "w")), /^NOTAPPLIED .*certificate/);
  assert.deepEqual(await trusting.call("GET", "k"), bulk("v"));
});

test("a sidecar whose ports other machines can reach starts only with passwords, because its clients act with its key", async () => {
  using folder = makeFolder();
  const key = join(folder.path, "private.pem");
  const users = join(folder.path, "users.acl");
  writeFileSync(key, makeKeyPair().privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  writeFileSync(users, "user default off\nuser ann on >secret ~* +@all\n", { mode: 0o600 });

  const check = (...args: readonly string[]) =>
    runDaemon(["-d", "dbsync:127.0.0.1:1", "--key", key, ...args, "--check-config"]);
  for (const name of USER_LISTENER_NAMES) {
    const needed = String(name) === "sentinel" ? ["--resp", "0"] : [];
    const { code, stderr } = await check(`--${name}`, "0.0.0.0:0", ...needed);
    assert.match(stderr, new RegExp(`--${name} 0\\.0\\.0\\.0 .*any client there could send commands`));
    assert.equal(code, 2);
  }
  assert.equal((await check("--resp", "0.0.0.0:0", "--acl-file", users)).code, 0);

  const open = await check("-b", "0.0.0.0");
  assert.equal(open.code, 2);
  assert.match(open.stderr, /--allow-unsigned/);
});
