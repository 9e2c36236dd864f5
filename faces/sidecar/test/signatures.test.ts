/** Tests how many envelopes a sidecar sends for its clients' commands, with a daemon's count of verified signatures. */
import assert from "node:assert/strict";
import { get } from "node:http";
import { test } from "node:test";
import { freePort } from "../../../test/support/free-port.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { startPlain } from "./scene.js";

/** Maximum number of envelopes for a pipeline. It exceeds the number of chunks in which the pipeline may arrive. */
const PIPELINE_ENVELOPES_MAX = 10;
const CONNECTIONS = 20;
const COMMANDS = 50;

/** Returns a page of a daemon. */
function page(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ port, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text));
    });
    request.on("error", reject);
  });
}

async function startCounted() {
  const admin = await freePort();
  const scene = await startPlain({ args: (number) => (number === 0 ? ["--admin", String(admin)] : []) });
  // The sidecar waits for the answer of each daemon, so the counting daemon has received all envelopes.
  const { port } = await scene.sidecar("--policy", "all");
  const count = async () =>
    Number(/^dbsyncd_verify_seconds_count (\d+)$/m.exec(await page(admin, "/metrics"))?.[1]);
  /** Returns the number of envelopes that some work causes. */
  const counted = async (work: () => Promise<unknown>) => {
    const before = await count();
    await work();
    return (await count()) - before;
  };
  return { scene, port, counted };
}

test("a pipeline shares few signatures, and so do the pipelines of many connections", async () => {
  const { scene, port, counted } = await startCounted();
  await using _ = scene;
  using redis = await RedisConnection.open(port);

  const envelopes = await counted(async () => {
    for (let i = 0; i < 500; i++) redis.queue(["INCR", "n"]);
    await redis.flush();
  });
  assert.ok(envelopes >= 1 && envelopes <= PIPELINE_ENVELOPES_MAX, String(envelopes));

  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => RedisConnection.open(port)));
  const shared = await counted(() =>
    Promise.all(
      clients.map((one) => {
        for (let i = 0; i < COMMANDS; i++) one.queue(["INCR", "n"]);
        return one.flush();
      }),
    ),
  );

  for (const one of clients) one[Symbol.dispose]();
  assert.ok(shared <= CONNECTIONS, `${shared} for ${CONNECTIONS} pipelines`);
  assert.deepEqual(await redis.call("GET", "n"), {
    kind: "bulk",
    bytes: String(500 + CONNECTIONS * COMMANDS),
  });
});

test("a transaction with watched keys is one envelope, and commands answered by the sidecar need none", async () => {
  const { scene, port, counted } = await startCounted();
  await using _ = scene;
  using redis = await RedisConnection.open(port);
  await redis.call("SET", "k", "1");

  const transaction = await counted(async () => {
    for (const argv of [["MULTI"], ["INCR", "k"], ["SET", "l", "1"], ["GET", "k"], ["EXEC"]])
      redis.queue(argv);
    await redis.flush();
  });
  assert.equal(transaction, 1);

  assert.equal(await counted(() => redis.call("WATCH", "k")), 1);
  const conditional = await counted(async () => {
    for (const argv of [["MULTI"], ["INCR", "k"], ["EXEC"]]) redis.queue(argv);
    assert.equal((await redis.flush()).at(-1)?.kind, "array");
  });
  assert.equal(conditional, 1);

  const here = await counted(async () => {
    for (const argv of [
      ["HELLO", "3"],
      ["CLIENT", "SETNAME", "app"],
      ["CLIENT", "ID"],
      ["SELECT", "3"],
      ["PING"],
      ["ECHO", "x"],
      ["TIME"],
      ["COMMAND", "COUNT"],
      ["CONFIG", "GET", "maxclients"],
      ["INFO", "server"],
      ["MULTI"],
      ["DISCARD"],
      ["HELLO", "2"],
    ]) {
      const reply = await redis.call(...argv);
      assert.notEqual(reply.kind, "error", argv.join(" "));
    }
  });
  assert.equal(here, 0);
});
