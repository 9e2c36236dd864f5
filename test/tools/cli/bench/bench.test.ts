/** Tests `dbsync bench` as a child process: short loads on daemons in this process. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createClient } from "../../../../client/public-api.js";
import { startDaemon } from "../../../support/daemon-process.js";
import { refusingAddress } from "../../../support/free-port.js";
import { programPaths } from "../../../support/programs.js";
import { askRedis, textOf } from "../../../support/redis-connection.js";
import { startRedis } from "../../../support/redis-server.js";
import { skipWithout } from "../../../support/requirements.js";
import { until } from "../../../support/until.js";

import { type Cluster, startCluster } from "../cluster.js";

const skip = skipWithout("redis-server");
let cluster: Cluster;

before(async () => {
  cluster = await startCluster(2);
});
after(() => cluster[Symbol.asyncDispose]());

const bench = (...args: string[]) => cluster.run(["bench", "-k", "app.pem", ...args]);

const databaseSize = async () => {
  await using client = createClient({
    servers: cluster.daemons.servers,
    key: join(cluster.folder, "app.pem"),
    policy: "all-equal",
  });
  return await client.send("DBSIZE");
};

interface Figures {
  readonly calls: number;
  readonly failed: number;
  readonly seconds: number;
  readonly throughput: number;
  readonly latency: Readonly<Record<string, number>>;
  readonly histogram: { readonly count: number }[];
}

test("bench prints figures and a histogram, and leaves no keys", async () => {
  const { code, stdout, stderr } = await bench(
    "--seconds",
    "1",
    "-c",
    "4",
    "--keys",
    "50",
    "--command",
    "mixed",
  );
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(
    stdout,
    /^4 callers for 1 s: 9 of 10 GET .* \(values of 16 bytes\), policy first, 2 daemons\n\n/,
  );
  assert.match(stdout, /\nthroughput +[\d,]+ a second \([\d,]+ answered in \d+\.\d s\)\n/);
  assert.match(
    stdout,
    /\nlatency +p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, p99\.9 [\d.]+, mean [\d.]+, max [\d.]+ \(ms\)\n/,
  );
  assert.match(stdout, /\nfailed +none\n/);
  assert.match(stdout, /\n +[\d.]+ to +[\d.]+ +[\d.]+ % {2}#+\n/);
  await until("no daemon has a key", async () => (await databaseSize().catch(() => null)) === "0");
});

test("bench with --rate makes calls at that rate, and prints JSON", async () => {
  const { code, stdout } = await bench("--seconds", "1", "--rate", "100", "--json", "--policy", "all");
  assert.equal(code, 0);
  const { calls, failed, throughput, latency, histogram } = JSON.parse(stdout) as Figures;
  assert.ok(calls > 40 && calls < 200, `${calls}`);
  assert.equal(failed, 0);
  assert.ok(throughput > 0 && (latency["p50"] ?? 0) > 0);
  assert.equal(
    histogram.reduce((sum, { count }) => sum + count, 0),
    calls,
  );
});

test("bench counts failures by stage, and exits with 1", async () => {
  const { code, stdout } = await bench("--seconds", "1", "-c", "1", "--command", "LPUSH");
  assert.equal(code, 1);
  assert.match(stdout, /\nfailed +[\d,]+ of [\d,]+\n/);
  assert.match(stdout, /\n +reply +[\d,]+ +The command failed \(.*\): ERR wrong number of arguments/);
});

test("bench puts load on other machines only with --yes", async () => {
  const { code, stdout, stderr } = await bench("-s", "192.0.2.1,127.0.0.1:9");
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /would put load on other machines: 192\.0\.2\.1:1111 .*64 callers for 10 s.*--yes/);
});

test("bench fails immediately if no daemon answers", async () => {
  const { code, stderr, ms } = await bench("-s", await refusingAddress(), "--seconds", "600");
  assert.equal(code, 1);
  assert.match(stderr, /^dbsync: No daemon answered/);
  assert.ok(ms < 300_000);
});

for (const [args, message] of [
  [["-c", "0"], /Allowed: 1 to/],
  [["--seconds", "x"], /whole number/],
  [["--seconds", "86401"], /Allowed: 1 to 86400/],
  [["--payload", "99999999999"], /Allowed: 0 to/],
  [["--command", "SET 'a"], /the quote ' is not closed/],
] as const) {
  test(`bench refuses ${args.join(" ")} with exit code 2`, async () => {
    const { code, stderr } = await bench(...args);
    assert.equal(code, 2);
    assert.match(stderr, message);
  });
}

test("Ctrl-C ends bench early, and it prints the results so far", async () => {
  const program = programPaths.dbsync;
  const args = [
    "bench",
    "-s",
    cluster.daemons.servers,
    "-k",
    "app.pem",
    "--seconds",
    "600",
    "-c",
    "1",
    "--json",
  ];
  const child = spawn(process.execPath, [program, ...args], {
    cwd: cluster.folder,
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const out: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => void out.push(chunk));
  const closed = once(child, "close");
  try {
    await using client = createClient({
      servers: cluster.daemons.servers,
      key: join(cluster.folder, "app.pem"),
    });
    await until("the benchmark has written", async () => (await client.send("DBSIZE")) !== "0");
    child.kill("SIGINT");
    const [code] = (await closed) as [number | null];
    assert.equal(code, 0);
    const { calls, seconds } = JSON.parse(Buffer.concat(out).toString()) as Figures;
    assert.ok(calls > 0 && seconds < 300);
  } finally {
    child.kill("SIGKILL");
  }
});

test("bench compares lists of daemons, and names their backends", { skip }, async () => {
  await using redis = await startRedis();
  await using node = await startRedis({ args: ["--cluster-enabled", "yes"] });
  await askRedis(node.port, "CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await until("the Redis Cluster serves its slots", async () =>
    /state:ok/.test(await textOf(node.port, "CLUSTER", "INFO")),
  );
  const unsigned = ["memory", `redis:127.0.0.1:${redis.port}`, `redis-cluster:127.0.0.1:${node.port}`];
  const running = await Promise.all(unsigned.map((database) => startDaemon(["-d", database])));
  try {
    const [memory, ...others] = running.map(({ port }) => `127.0.0.1:${port}`);
    const few = ["--seconds", "1", "-c", "4", "--keys", "10", "--json"];
    const beside = others.flatMap((address) => ["--beside", address]);
    const result = await cluster.run(["bench", "-s", memory as string, ...beside, ...few]);
    assert.equal(result.code, 0, result.stdout + result.stderr);
    const { rows } = JSON.parse(result.stdout) as { rows: { backends: string; throughput: number }[] };
    assert.deepEqual(
      rows.map(({ backends }) => backends.replace(/Redis [\d.]+$/, "Redis 7")),
      ["memory", "Redis 7", "a Redis Cluster"],
    );
    assert.ok(rows.every(({ throughput }) => throughput > 0));
    const shown = await cluster.run([
      "bench",
      "-k",
      "root.pem",
      "--beside",
      cluster.daemons.servers,
      ...few.slice(0, -1),
    ]);
    assert.equal(shown.code, 0, shown.stdout + shown.stderr);
    assert.match(shown.stdout, /^DAEMONS +BACKENDS +A SECOND +RATIO +P50 ms +P99 ms +FAILED$/m);
    assert.match(shown.stdout, /^\S+ +memory +[\d,]+ +1\.00 /m);
  } finally {
    await Promise.all(running.map((daemon) => daemon[Symbol.asyncDispose]()));
  }
});
