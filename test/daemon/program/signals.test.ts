/** Tests signals, and changes of keys and configuration, with real processes. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { startDaemon } from "../../support/daemon-process.js";
import { RawClient } from "../../support/raw-client.js";
import { startRedis } from "../../support/redis-server.js";
import { repositoryRoot } from "../../support/repository.js";
import { until } from "../../support/until.js";

const vectorFolder = join(repositoryRoot, "test", "vectors", "php-dbsync");
const key = (bits: number) => join(vectorFolder, `test-rsa${bits}-public.pem`);
const folder = mkdtempSync(join(tmpdir(), "dbsync-signals-"));
after(() => rmSync(folder, { recursive: true }));

function signedPing(bits: number): string {
  const vectors = JSON.parse(readFileSync(join(vectorFolder, "vectors.json"), "utf8")) as {
    name: string;
    request_hex: string;
  }[];
  const hex = vectors.find(({ name }) => name === `signed${bits}-ping`)?.request_hex as string;
  return Buffer.from(hex, "hex").toString("latin1");
}

/** Returns whether a daemon answers a frame. Otherwise the daemon closes the connection. */
async function answers(port: number, frame: string): Promise<boolean> {
  using client = await RawClient.open(port);
  client.send(frame);
  return (await client.answer()) !== "";
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} closes idle connections and exits with 0`, async () => {
    await using daemon = await startDaemon();
    using client = await RawClient.open(daemon.port);
    assert.equal(await client.ask("PING"), "PONG");
    daemon.kill(signal);
    assert.equal(await client.rest(), "");
    assert.equal((await daemon.ended()).code, 0);
    assert.deepEqual(
      daemon.log.slice(-2).map(({ msg }) => msg),
      ["stopping", "stopped"],
    );
  });
}

test("SIGTERM lets a command in flight finish and its answer arrive", async () => {
  await using redis = await startRedis();
  await using daemon = await startDaemon(["-d", `redis:127.0.0.1:${redis.port}`, "--backend-timeout", "10s"]);
  using client = await RawClient.open(daemon.port);
  using other = await RawClient.open(daemon.port);
  assert.equal(await client.ask("PING"), "PONG");
  client.command("BLPOP queue 0");
  // Redis has received the waiting command when it counts a blocked client.
  await until("the command waits", async () => /blocked_clients:1/.test(await other.ask("INFO clients")));
  daemon.kill("SIGTERM");
  await daemon.logged(({ msg }) => msg === "stopping");
  using pusher = await RawClient.open(redis.port);
  pusher.send("RPUSH queue late\r\n");
  assert.equal(await client.answer(), "redis:11:queue\nlate\0");
  assert.equal((await daemon.ended()).code, 0);
});

test("SIGTERM does not wait for a hung database beyond its time limit", async () => {
  await using redis = await startRedis();
  await using daemon = await startDaemon(["-d", `redis:127.0.0.1:${redis.port}`, "--backend-timeout", "3s"]);
  using client = await RawClient.open(daemon.port);
  assert.equal(await client.ask("PING"), "PONG");
  redis.kill("SIGSTOP");
  client.command("GET k");
  daemon.kill("SIGTERM");
  assert.equal((await daemon.ended()).code, 0);
});

test("a second signal ends the daemon immediately with exit code 1", async () => {
  await using redis = await startRedis();
  await using daemon = await startDaemon(["-d", `redis:127.0.0.1:${redis.port}`, "--backend-timeout", "1m"]);
  using client = await RawClient.open(daemon.port);
  client.command("BLPOP queue 0");
  using other = await RawClient.open(daemon.port);
  await until("the command waits", async () => /blocked_clients:1/.test(await other.ask("INFO clients")));
  daemon.kill("SIGTERM");
  await daemon.logged(({ msg }) => msg === "stopping");
  daemon.kill("SIGTERM");
  assert.equal((await daemon.ended()).code, 1);
});

test("SIGHUP makes the daemon read its keys again, even for open connections", async () => {
  const keys = join(folder, "public.pem");
  copyFileSync(key(2048), keys);
  await using daemon = await startDaemon(["-s", keys]);
  using open = await RawClient.open(daemon.port);
  open.send(signedPing(2048));
  assert.notEqual(await open.answer(), "");
  assert.equal(await answers(daemon.port, signedPing(4096)), false);
  copyFileSync(key(4096), keys);
  daemon.kill("SIGHUP");
  await daemon.logged(({ msg }) => msg === "configuration and keys read again");
  assert.equal(await answers(daemon.port, signedPing(4096)), true);
  open.send(signedPing(2048));
  assert.equal(await open.answer(), "");
  assert.equal((await daemon.stop()).code, 0);
});

/** A module loader that sends SIGHUP to the process when it loads the code that reads the options. */
const HANGS_UP = `
  let sent = false;
  export async function load(url, context, next) {
    if (/\\/program-\\w+\\.js$/.test(url) && !sent) {
      sent = true;
      process.kill(process.pid, "SIGHUP");
    }
    return next(url, context);
  }
`;

test("SIGHUP during loading does not end the daemon, which then reads its configuration again", async () => {
  const script = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
  const preload = `import { register } from "node:module"; register(${JSON.stringify(script(HANGS_UP))});`;
  await using daemon = await startDaemon([], { execArgv: ["--import", script(preload)] });
  await daemon.logged(({ msg }) => msg === "configuration and keys read again");
  assert.equal((await daemon.stop()).code, 0);
});

test("SIGHUP with invalid files keeps the old configuration and logs the error", async () => {
  const keys = join(folder, "damaged.pem");
  const config = join(folder, "reload.toml");
  copyFileSync(key(2048), keys);
  writeFileSync(config, `sign-key = "${keys}"\nlog-level = "info"\n`);
  await using daemon = await startDaemon(["--config", config]);

  writeFileSync(keys, "nonsense");
  daemon.kill("SIGHUP");
  const first = await daemon.logged(({ msg }) => msg.includes("damaged.pem"));
  assert.match(first.msg, /^The old configuration stays in effect: -s: .*contains no PEM block/);
  assert.equal(await answers(daemon.port, signedPing(2048)), true);
  writeFileSync(config, "port = nonsense\n");
  daemon.kill("SIGHUP");
  await daemon.logged(({ msg }) =>
    /^The old configuration stays in effect: .*reload\.toml, line 1/.test(msg),
  );

  writeFileSync(config, 'log-level = "debug"\n');
  daemon.kill("SIGHUP");
  await daemon.logged(({ msg }) => /changing between signed and unsigned commands needs a restart/.test(msg));
  assert.equal(await answers(daemon.port, signedPing(2048)), true);
});

test("SIGHUP keeps the old keys if a label in the folder of keys is a member of every object", async () => {
  const keys = mkdtempSync(join(folder, "labels-"));
  copyFileSync(key(2048), join(keys, "good.pem"));
  await using daemon = await startDaemon(["-s", keys]);
  for (const label of Object.getOwnPropertyNames(Object.prototype)) {
    writeFileSync(join(keys, `${label}.pem`), `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`);
    daemon.kill("SIGHUP");
    await daemon.logged(
      ({ msg }) => msg.startsWith("The old configuration stays in effect: ") && msg.includes(`${label}.pem`),
    );
    rmSync(join(keys, `${label}.pem`));
  }
  assert.equal(await answers(daemon.port, signedPing(2048)), true);
});

test("SIGHUP applies log level and limits, and logs settings that need a restart", async () => {
  const config = join(folder, "limits.toml");
  writeFileSync(config, 'log-level = "info"\n');
  await using daemon = await startDaemon(["--config", config, "--bind", "127.0.0.1"]);
  using client = await RawClient.open(daemon.port);
  assert.equal(await client.ask("PING"), "PONG");
  writeFileSync(config, 'log-level = "trace"\nclose = true\nidle-timeout = "2s"\n');
  daemon.kill("SIGHUP");
  await daemon.logged(({ msg }) => msg === "configuration and keys read again");
  const restart = await daemon.logged(({ msg }) => /applies until a restart/.test(msg));
  assert.equal(restart["name"], "close");

  using other = await RawClient.open(daemon.port);
  assert.equal(await other.ask("PING"), "PONG");
  await daemon.logged(({ direction }) => direction === "sent");
  const frames = daemon.log
    .filter(({ level }) => level === "trace")
    .map(({ direction, bytes }) => `${direction} ${bytes}`);
  assert.deepEqual(frames, ["received ds:5:PING\\x00", "sent ds:13:redis:5:PONG\\x00"]);

  // The new idle time and the old close mode apply to both connections.
  assert.equal(await client.rest(), "");
  assert.equal(await other.rest(), "");
});

test("the daemon continues if the reader of its log ends", async () => {
  await using daemon = await startDaemon(["--log-level", "trace"]);
  daemon.closeLog();
  using client = await RawClient.open(daemon.port);
  for (let i = 0; i < 100; i++) assert.equal(await client.ask("PING"), "PONG");
  assert.equal((await daemon.stop()).code, 0);
});
