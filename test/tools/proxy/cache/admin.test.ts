/** Tests the reports of `dbsync-proxy cache --admin` and `dbsync-proxy status`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SqlLineClient } from "../../../support/sql-line-client.js";
import { until } from "../../../support/until.js";
import { FakeSqlServer, pageOf } from "../sql-server.js";
import { Terminal } from "../terminals.js";

const LISTENING = /"port":(\d+),"upstream":".*?","msg":"listening"/;
const ADMIN = /"port":(\d+),"msg":"serving \/healthz/;

async function startCache(upstream: number, more = "") {
  const terminal = new Terminal(
    `dbsync-proxy cache --upstream 127.0.0.1:${upstream} --listen 0 --admin 0 --log-format json${more}`,
    process.cwd(),
  );

  terminal.start();
  const [, port] = await terminal.printed(LISTENING);
  const [, admin] = await terminal.printed(ADMIN);

  const ask = (path: string) => fetch(`http://127.0.0.1:${admin}${path}`);
  return {
    port: Number(port),
    metrics: async () => (await ask("/metrics")).text(),
    healthz: async () => (await ask("/healthz")).status,
    async status(option = "") {
      const status = new Terminal(`dbsync-proxy status ${admin}${option}`, process.cwd());
      status.start("");
      return { code: await status.ended(), output: status.output };
    },
    stop: () => terminal.kill("SIGTERM"),
    [Symbol.asyncDispose]: () => terminal[Symbol.asyncDispose](),
  };
}

test("the SQL cache reports its stored answers, its waiting reads, and whether its server is up", async () => {
  const held: (() => void)[] = [];
  let isHolding = false;
  await using server = await FakeSqlServer.start(async ({ statement }) => {
    if (isHolding && statement.startsWith("select")) await new Promise<void>((go) => held.push(go));
    return pageOf(statement);
  });

  await using cache = await startCache(server.port, " --life 600000");
  using client = await SqlLineClient.open(cache.port);
  using other = await SqlLineClient.open(cache.port);

  await client.ask("select 1 from t");
  await client.ask("select 1 from t");
  await client.ask("insert into t values (1)");

  isHolding = true;
  const answers = [client, other].map((one) => one.ask("select 2 from t"));
  await until("both reads wait", async () => /^dbsync_proxy_cache_waiting 2$/m.test(await cache.metrics()));
  isHolding = false;
  for (const go of held) go();
  await Promise.all(answers);

  const metrics = await cache.metrics();
  for (const line of [
    "hits_total 1",
    "misses_total 2",
    "joined_total 1",
    "stored_total 2",
    "emptied_total 1",
  ])
    assert.match(metrics, new RegExp(`^dbsync_proxy_cache_${line}$`, "m"), metrics);
  for (const line of ["forwarded_total 1", "entries 1", "waiting 0", "server_up 1", "connections 2"])
    assert.match(metrics, new RegExp(`^dbsync_proxy_cache_${line}$`, "m"), metrics);

  const { code, output } = await cache.status();
  assert.equal(code, 0, output);
  assert.match(output, new RegExp(`^127\\.0\\.0\\.1:${server.port} +up +1 +2 +0 +1 +\\d+ +1`, "m"));

  await server.stop();
  await until("the cache is not ready", async () => (await cache.healthz()) === 503);
  const told = await cache.status(" --json");
  assert.equal(told.code, 1);
  assert.equal((JSON.parse(told.output) as { cache: { up: boolean } }).cache.up, false);
  assert.equal(await cache.stop(), 0);
});

test("the removed `--protocol resp` is refused, and the error names its replacement", async () => {
  const terminal = new Terminal("dbsync-proxy cache 127.0.0.1 6379 6380 --protocol resp", process.cwd());
  terminal.start("");
  assert.equal(await terminal.ended(), 2);
  assert.match(terminal.output, /--protocol .*client-side caching/s);
});
