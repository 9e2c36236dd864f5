/**
 * Tests --admin: the contents of /healthz and /metrics, other answers, and that a client that does not read its answer
 * delays no other client.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { pino } from "pino";
import { REFUSALS } from "../../../daemon/engine/answers/refusals.js";
import { parseHostAndPort } from "../../../daemon/net/process/host-and-port.js";
import { StartError } from "../../../daemon/net/process/service.js";
import { type Health, isHealthy } from "../../../daemon/program/inspection/inspected-daemon.js";
import { Metrics } from "../../../daemon/program/inspection/metrics.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { AdminServer, type Site } from "../../../tools/admin/http/admin-server.js";
import { EventStream } from "../../../tools/admin/http/event-stream.js";
import { type Exposition, makeExposition } from "../../../tools/admin/http/exposition.js";
import { loadMetrics } from "../../../tools/admin/metric-table.js";
import { RawClient } from "../../support/raw-client.js";
import { nextTurn, until } from "../../support/until.js";

const METRICS = await loadMetrics(BUILD.faces);

const TEXT = "text/plain; charset=utf-8";

const reported = (health: Health) => ({ isHealthy: isHealthy(health), details: health });

const LIVE: Health = { version: "1.2.3", state: "live", backends: [{ name: "memory", up: true }] };

interface Started extends AsyncDisposable {
  readonly metrics: Metrics;
  readonly port: number;
  readonly log: readonly string[];
  get(path: string, init?: RequestInit): Promise<Response>;
}

async function startAdmin(
  options: { health?: () => Health; exposition?: Exposition; hosts?: readonly string[]; site?: Site } = {},
): Promise<Started> {
  const { health = () => LIVE, hosts = [], site } = options;
  const metrics = new Metrics();
  const sources = {
    metrics,
    health,
    workingMemory: () => ({ used: 0, peak: 0, limit: 0, waiting: 0 }),
    bufferedBytes: () => 77,
    replica: () => null,
    order: () => null,
    keys: () => null,
  };
  const { exposition = makeExposition(METRICS, sources) } = options;

  const log: string[] = [];
  const server = new AdminServer({
    listenAddress: parseHostAndPort("0"),
    hosts,
    health: () => reported(health()),
    exposition,
    ...(site === undefined ? {} : { site }),
    log: pino({}, { write: (line) => log.push(line) }),
  });

  await server.start();
  const { port } = server.address;
  return {
    metrics,
    port,
    log,
    get: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** Returns the metrics: `name{labels}` → value. */
async function scrape(admin: Started): Promise<Map<string, number>> {
  const response = await admin.get("/metrics");
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1).replace("Inf", "Infinity")),
    ]),
  );
}

test("/healthz returns 200 while the daemon is live and its databases are up", async () => {
  await using admin = await startAdmin();
  const response = await admin.get("/healthz");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(await response.json(), { status: "ok", ...LIVE });
});

test("/healthz returns 503 while a database is down, and while the daemon is not live", async () => {
  let health: Health = LIVE;
  await using admin = await startAdmin({ health: () => health });
  const status = async (now: Health) => {
    health = now;
    return (await admin.get("/healthz")).status;
  };
  const backends = [...LIVE.backends, { name: "redis:a:1", up: false }];
  assert.equal(await status({ ...LIVE, state: "database-down", backends }), 503);
  assert.equal(await status({ ...LIVE, state: "catching-up" }), 503);
  assert.equal(await status({ ...LIVE, state: "clock-off" }), 503);
  assert.equal(await status({ ...LIVE, state: "starting" }), 503);
  assert.equal(await status({ ...LIVE, state: "stopping" }), 503);
  assert.equal(await status({ ...LIVE, state: "isolated" }), 200);
  assert.equal(await status(LIVE), 200);
});

test("other paths return 404, other methods return 405, and answers to HEAD have no body", async () => {
  await using admin = await startAdmin();
  assert.equal((await admin.get("/")).status, 404);
  assert.equal((await admin.get("/metrics/x")).status, 404);
  assert.equal((await admin.get("/metrics?x=1")).status, 200);
  const posted = await admin.get("/metrics", { method: "POST", body: "x" });
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.get("allow"), "GET, HEAD");
  const head = await admin.get("/healthz", { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), "");
});

test("/metrics shows the counts of the observer", async () => {
  await using admin = await startAdmin();
  const { metrics } = admin;

  metrics.connected("dbsync-v2", 1);
  metrics.connected("dbsync-v2", 1);
  metrics.connected("dbsync-v2", -1);
  metrics.served("dbsync-v2", 10, 3);
  metrics.served("dbsync-v1", 1, 0);
  metrics.refused("dbsync-v1", "bad-signature");
  metrics.verified(0.04);
  metrics.verified(250);
  metrics.skewed(-300);
  metrics.applied("redis:a:1", 0.3, false);
  metrics.applied("redis:a:1", 5000, true);

  const found = await scrape(admin);
  const due: Record<string, number> = {
    'dbsyncd_units_total{listener="dbsync-v2",outcome="ok"}': 7,
    'dbsyncd_units_total{listener="dbsync-v2",outcome="error"}': 3,
    'dbsyncd_units_total{listener="dbsync-v1",outcome="ok"}': 1,
    'dbsyncd_connections{listener="dbsync-v2"}': 1,
    'dbsyncd_connections_opened_total{listener="dbsync-v2"}': 2,
    'dbsyncd_refusals_total{listener="dbsync-v1",reason="bad-signature"}': 1,
    'dbsyncd_refusals_total{listener="dbsync-v2",reason="bad-signature"}': 0,
    'dbsyncd_verify_seconds_bucket{le="0.00003"}': 0,
    'dbsyncd_verify_seconds_bucket{le="0.00005"}': 1,
    'dbsyncd_verify_seconds_bucket{le="0.1"}': 1,
    'dbsyncd_verify_seconds_bucket{le="+Inf"}': 2,
    dbsyncd_verify_seconds_count: 2,
    'dbsyncd_envelope_skew_seconds_bucket{le="-0.5"}': 0,
    'dbsyncd_envelope_skew_seconds_bucket{le="-0.1"}': 1,
    dbsyncd_envelope_skew_seconds_sum: -0.3,
    'dbsyncd_backend_up{backend="memory"}': 1,
    'dbsyncd_backend_failures_total{backend="redis:a:1"}': 1,
    'dbsyncd_backend_seconds_bucket{backend="redis:a:1",le="0.0005"}': 1,
    'dbsyncd_backend_seconds_count{backend="redis:a:1"}': 2,
    'dbsyncd_state{state="live"}': 1,
    'dbsyncd_state{state="stopping"}': 0,
    dbsyncd_buffered_bytes: 77,
  };
  for (const [name, value] of Object.entries(due)) assert.equal(found.get(name), value, name);
  assert.ok(Math.abs((found.get("dbsyncd_verify_seconds_sum") ?? 0) - 0.25004) < 1e-9);

  // A second scrape returns the same values, not sums.
  const again = await scrape(admin);
  for (const [name, value] of Object.entries(due)) assert.equal(again.get(name), value, name);
});

test("/metrics has all metrics of the table, and all possible reasons of a listener from the start", async () => {
  await using admin = await startAdmin();
  const text = await (await admin.get("/metrics")).text();
  for (const [name, { type }] of Object.entries(METRICS)) {
    assert.ok(text.includes(`# TYPE ${name} ${type}\n`), name);
  }

  const listeners = ["dbsync", "dbsync-v1", "dbsync-v2", "ws", "resp"];
  for (const listener of listeners) admin.metrics.connected(listener, 1);
  admin.metrics.refused("dbsync-v1", "skew");
  const found = await scrape(admin);
  const of = (listener: string, code: string) =>
    found.get(`dbsyncd_refusals_total{listener="${listener}",reason="${code}"}`);

  for (const code of Object.keys(REFUSALS))
    assert.ok(
      listeners.some((listener) => of(listener, code) === 0),
      code,
    );
  assert.deepEqual([of("dbsync-v1", "unsigned"), of("dbsync-v2", "unsigned")], [0, 0]);
  assert.deepEqual([of("dbsync-v1", "command-error"), of("dbsync-v2", "command-error")], [0, undefined]);
  assert.deepEqual([of("dbsync-v1", "over-rate"), of("dbsync-v2", "over-rate")], [undefined, 0]);
  assert.deepEqual([of("ws", "wrong-origin"), of("dbsync-v2", "wrong-origin")], [0, undefined]);
  assert.deepEqual(
    ["dbsync", "dbsync-v2", "resp"].map((listener) => of(listener, "too-many-connections")),
    [0, undefined, 0],
    "connections of versions 1 and 2 are refused before the version is known",
  );
  assert.equal(of("dbsync-v1", "skew"), 1, "other reasons appear once they are counted");

  const started = found.get("process_start_time_seconds") ?? 0;
  assert.ok(Math.abs(started - (Date.now() / 1000 - process.uptime())) < 60);
  assert.ok((found.get("process_resident_memory_bytes") ?? 0) > 1e6);
});

test("idle clients and a client that never reads do not delay other clients or the stop", async () => {
  const big = "x".repeat(64 * 1024 * 1024);
  const admin = await startAdmin({ exposition: { contentType: "text/plain", text: () => big } });
  const hung = connect({ port: admin.port, host: "127.0.0.1" });
  hung.pause();
  hung.on("error", () => {});
  await once(hung, "connect");
  hung.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const silent = Array.from({ length: 8 }, () => connect({ port: admin.port, host: "127.0.0.1" }));
  for (const socket of silent) socket.on("error", () => {}).resume();
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  assert.equal((await admin.get("/healthz")).status, 200);
  const closed = silent.map((socket) => once(socket, "close"));
  await admin[Symbol.asyncDispose]();
  await Promise.all(closed);
  hung.destroy();
});

test("/healthz answers while idle and half-sent requests fill all connections, again and again", async () => {
  await using admin = await startAdmin();
  const attackers: Socket[] = [];
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 100; i++) {
      const socket = connect({ port: admin.port, host: "127.0.0.1" });
      socket.on("error", () => {}).resume();
      attackers.push(socket);
      if (i % 2 === 0) socket.write("GET /metrics HTTP/1.1\r\nHost: loc");
      await once(socket, "connect");
    }
    const response = await admin.get("/healthz", { headers: { connection: "close" } });
    assert.equal(response.status, 200);
    await response.text();
  }
  for (const socket of attackers) socket.destroy();
});

test("requests for other host names are refused; addresses, localhost and names of --admin-host are accepted", async () => {
  await using admin = await startAdmin({ hosts: ["db1.example"] });
  const statusOf = async (path: string, head: string) => {
    using client = await RawClient.open(admin.port);
    client.send(`GET ${path} ${head}\r\nConnection: close\r\n\r\n`);
    const answer = await client.rest();
    return [Number(answer.split(" ")[1]), answer] as const;
  };

  for (const path of ["/healthz", "/metrics"]) {
    for (const host of [
      "127.0.0.1",
      "10.0.0.1:9464",
      "[::1]:9464",
      "localhost",
      "LOCALHOST:80",
      "DB1.example.:1",
    ])
      assert.equal((await statusOf(path, `HTTP/1.1\r\nHost: ${host}`))[0], 200, host);
    assert.equal((await statusOf(path, "HTTP/1.0"))[0], 200, "no browser sends HTTP/1.0");
  }

  for (const path of ["/healthz", "/metrics", "/"]) {
    for (const host of [
      "evil.example",
      "127.0.0.1.evil.example",
      "localhost.evil",
      "db2.example:9464",
      "[evil]",
      "1",
    ]) {
      const [status, answer] = await statusOf(path, `HTTP/1.1\r\nHost: ${host}`);
      assert.equal(status, 421, host);
      assert.match(answer, /--admin-host/);
      assert.doesNotMatch(answer, /live|dbsyncd_|\/metrics/);
    }
  }
});

test("a header that is too long is refused", async () => {
  await using admin = await startAdmin();
  const statusWith = async (length: number) =>
    (await admin.get("/healthz", { headers: { "x-long": "x".repeat(length) } })).status;
  assert.equal(await statusWith(8 * 1024), 431);
  assert.notEqual(await statusWith(7 * 1024), 431);
});

test("a port in use is reported with advice", async () => {
  await using admin = await startAdmin();
  const listenAddress = parseHostAndPort(String(admin.port));
  const exposition = { contentType: "text/plain", text: () => "" };
  const second = new AdminServer({
    listenAddress,
    hosts: [],
    exposition,
    health: () => reported(LIVE),
    log: pino({ level: "silent" }),
  });
  await assert.rejects(second.start(), (problem) => {
    assert.ok(problem instanceof StartError);
    assert.match(problem.message, /^--admin 127\.0\.0\.1:\d+: another program listens there\. Choose/);
    return true;
  });
  await second.stop();
});

test("a page that cannot be created is answered with an error, and the daemon continues", async () => {
  const text = () => {
    throw new Error("a file is missing");
  };
  await using admin = await startAdmin({ exposition: { contentType: "text/plain", text } });
  const { status } = await admin.get("/metrics");
  assert.equal(status, 500);
  assert.match(admin.log.join(), /a file is missing/);
  assert.equal((await admin.get("/healthz")).status, 200);
});

/** Returns a site whose parts fail, before any output or after some. */
function failingSite(): Site {
  const fail = (): never => {
    throw new Error("broken");
  };
  return {
    name: "/",
    eventsPath: "/events",
    page: (path) => {
      if (path === "/throws") fail();
      return path === "/header" ? { type: TEXT, body: "", headers: { "X-Bad": "a\nb" } } : null;
    },
    listen: (response) => {
      response.writeHead(200);
      response.write("begun");
      fail();
    },
    start: () => {},
    stop: () => {},
  };
}

test("a request whose page fails affects only its own connection", async () => {
  await using admin = await startAdmin({ site: failingSite() });
  assert.equal((await admin.get("/throws")).status, 500);
  for (const path of ["/events", "/header"])
    await assert.rejects(async () => await (await admin.get(path)).text(), path);
  assert.equal((await admin.get("/healthz")).status, 200);
  assert.equal(admin.log.filter((line) => line.includes("a page of --admin could not be")).length, 3);
});

test("an event that cannot be created ends the connections of pages, which can reconnect", async () => {
  let isBroken = true;
  const failures: string[] = [];
  const source = {
    begin: () => {},
    next: () => {
      if (isBroken) throw new Error("no event");
      return "event";
    },
    end: () => {},
  };

  const stream = new EventStream(source, ({ message }) => failures.push(message));
  const site = { ...failingSite(), listen: (response: ServerResponse) => stream.add(response) };
  await using admin = await startAdmin({ site });
  assert.equal((await admin.get("/events")).status, 500);

  isBroken = false;
  const reader = (await admin.get("/events")).body?.getReader() ?? assert.fail();
  assert.match(Buffer.from((await reader.read()).value ?? "").toString(), /data: event/);

  isBroken = true;
  const readRest = until("the stream ends", async () => (await reader.read()).done, { pause: nextTurn });
  await assert.rejects(readRest, { name: "TypeError" });
  assert.deepEqual([failures, stream.size], [["no event"], 0]);
  assert.equal((await admin.get("/healthz")).status, 200);
});
