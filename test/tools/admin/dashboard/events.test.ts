/**
 * Tests the events for the page of --admin: their contents, which clients may request them, and that no client delays
 * another one.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Histogram } from "../../../../daemon/net/process/histogram.js";
import {
  ARRIVAL_BIN_MS,
  type DashboardFrame,
  type DashboardHistory,
  SAMPLE_EVERY_MS,
  SAMPLE_SERIES,
  SAMPLES_MAX,
  type SampleValues,
} from "../../../../protocol/json/dashboard-frame.js";
import { Arrivals, Samples, TimesSince } from "../../../../tools/admin/dashboard-frames.js";
import { EventStream } from "../../../../tools/admin/http/event-stream.js";
import { makeFolder } from "../../../daemon/program/replicas.js";
import { startDaemon } from "../../../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../../../support/envelope-client.js";
import { listenAtFreePort } from "../../../support/free-port.js";
import { browserFolder } from "../../../support/make-browser-module.js";
import { dashboardFolder } from "../../../support/make-dashboard.js";
import { RawClient } from "../../../support/raw-client.js";
import { until } from "../../../support/until.js";

const GZIPPED_MAX = 20 * 1024;

/** Yields the frames that a page receives until the connection ends. */
async function* framesFrom(port: number): AsyncGenerator<DashboardFrame> {
  const response = await fetch(`http://127.0.0.1:${port}/events`);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  let text = "";
  for await (const bytes of response.body ?? []) {
    text += Buffer.from(bytes).toString();
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events)
      if (event.startsWith("data: ")) yield JSON.parse(event.slice(6)) as DashboardFrame;
  }
}

test("the page is small, including its script and style sheet", (t) => {
  const files = ["index.html", "dashboard.css", "dashboard.js", "icon.svg"];
  const sizes = files.map((file) => gzipSync(readFileSync(join(dashboardFolder, file)), { level: 9 }).length);
  const sum = sizes.reduce((one, other) => one + other);
  t.diagnostic(`${sum} bytes gzipped: ${files.map((file, index) => `${file} ${sizes[index]}`).join(", ")}`);
  assert.ok(sum <= GZIPPED_MAX, `${sum} bytes`);
  const page = files.map((file) => readFileSync(join(dashboardFolder, file), "utf8")).join("\n");
  const others = [...page.matchAll(/\bhttps?:\/\/[\w.]+/g)].map(([url]) => url);
  assert.deepEqual(
    [...new Set(others)],
    ["http://www.w3.org"],
    "the name of a namespace, which is not requested",
  );
});

test("an entry dated before an existing entry is late, and entries of other minutes are only counted", () => {
  const now = 1_000_000;
  const arrivals = new Arrivals(() => now);
  arrivals.add([{ at: now - 5000 }, { at: now - 10_000 }], true);
  arrivals.add([{ at: now - 1000 }, { at: now - 1000 - ARRIVAL_BIN_MS }, { at: now - 9000 }], false);
  arrivals.add([{ at: now + 3000 }, { at: now - 500 }, { at: now + 60_000 }, { at: now - 90_000 }], true);

  const changed = arrivals.takeChanged();
  const bin = (ago: number) => Math.floor((now - ago) / ARRIVAL_BIN_MS);
  const found = new Map(changed.map(([bin, ...counts]) => [bin, counts]));
  assert.deepEqual(found.get(bin(10_000)), [1, 0, 1]);
  assert.deepEqual(found.get(bin(9000)), [0, 1, 1]);
  assert.deepEqual(found.get(bin(5000)), [1, 0, 0]);
  assert.deepEqual(found.get(bin(500)), [1, 0, 0], "an entry with a future date makes no other entry late");
  assert.equal(arrivals.outsideWindow, 2);
  assert.deepEqual(arrivals.takeChanged(), []);
  assert.deepEqual(new Map(arrivals.all.map(([bin, ...counts]) => [bin, counts])), found);

  for (let at = 0; at < 2 * now; at += 10) arrivals.add([{ at }], true);
  arrivals.forget();
  assert.ok(arrivals.all.length < 300, "the number of stored bins is bounded");
  assert.ok(arrivals.takeChanged().length < 300);
});

test("TimesSince returns the times of the observations since the previous call", () => {
  const histogram = new Histogram([0.001, 0.01, 0.1]);
  histogram.observe(0.05);
  const times = new TimesSince(histogram);
  assert.equal(times.take(), null);
  for (let i = 0; i < 98; i++) histogram.observe(0.0005);
  histogram.observe(0.005);
  histogram.observe(7);
  assert.deepEqual(times.take(), { count: 100, p50: 1, p99: 10 });
  histogram.observe(7);
  assert.deepEqual(times.take(), { count: 1, p50: 100, p99: 100 });
  assert.equal(times.take(), null);
});

test("a frame contains counts, states and dates, but no names of keys, values or signers", async () => {
  const pair = makeKeyPair();
  using folder = makeFolder();
  await using daemon = await startDaemon(["--admin", "0", "-s", pair.file, "--data", folder.path]);
  const port = await daemon.portOf("/healthz and /metrics");
  using client = await EnvelopeClient.open(daemon.port, pair);
  await client.replies([["SET", "secret-name", "secret-value"]]);

  const frames = framesFrom(port);
  const first = (await frames.next()).value as DashboardFrame;
  assert.deepEqual(first.keys, { application: 1 });
  assert.deepEqual(first.timeline?.arrivals, [], "earlier arrivals are in the history");
  assert.deepEqual([first.timeline?.members, first.ws, first.disk], [[], null, null]);

  await client.replies([["SET", "secret-name", "secret-value"]]);
  await client.replies([["SET", "secret-name", "late"]], { at: Date.now() - 10_000 });

  let text = "";
  let diskBytes = 0;
  let late = 0;
  const take = async () => {
    const frame = (await frames.next()).value as DashboardFrame;
    diskBytes = frame.disk?.size ?? 0;
    text += JSON.stringify(frame);
    for (const [, , , count] of frame.timeline?.arrivals ?? []) late += count;
  };
  await until("a frame counts the late write", () => late > 0 && diskBytes > 0, { pause: take });

  text += await (await fetch(`http://127.0.0.1:${port}/history`)).text();
  assert.equal(late, 1);
  assert.doesNotMatch(text, /secret|late"/);
  assert.ok(!text.includes(Buffer.from(pair.id, "latin1").toString("hex").slice(0, 8)));
  await frames.return(undefined);
});

test("the page has few permissions, and other sites cannot receive events", async () => {
  await using daemon = await startDaemon(["--admin", "0", "--ws", "0", "-s", makeKeyPair().file]);
  const port = await daemon.portOf("/healthz and /metrics");
  const url = `http://127.0.0.1:${port}`;
  const ws = await daemon.portOf("WebSocket clients");

  const types: Record<string, RegExp> = {
    "/": /^text\/html/,
    "/dashboard.css": /^text\/css/,
    "/dashboard.js": /^text\/javascript/,
    "/dbsync.js": /^text\/javascript/,
    "/icon.svg": /^image\/svg/,
  };
  for (const module of readdirSync(browserFolder)) types[`/${module}`] = /^text\/javascript/;

  for (const [path, type] of Object.entries(types)) {
    const { status, headers } = await fetch(`${url}${path}`);
    assert.equal(status, 200, path);
    assert.match(headers.get("content-type") ?? "", type);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
    assert.match(policy, /frame-ancestors 'none'.*require-trusted-types-for 'script'/);
    assert.ok(policy.includes(`connect-src 'self' ws://127.0.0.1:${ws};`), policy);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal((await fetch(`${url}${path}`, { method: "POST", body: "x" })).status, 405, path);
  }

  assert.equal((await fetch(`${url}/events`, { method: "POST", body: "x" })).status, 405);
  assert.equal((await fetch(`${url}/events`, { headers: { "sec-fetch-site": "cross-site" } })).status, 403);
  assert.equal((await fetch(`${url}/events`, { method: "HEAD" })).status, 200);
  for (const path of [
    "/dashboard",
    "/dbsync-core-00000000.js",
    "/..%2f..%2fpackage.json",
    "/constructor",
    "//",
    "/dashboard.js/",
  ])
    assert.equal((await fetch(`${url}${path}`)).status, 404, path);

  for (const path of ["/", "/events", "/history", "/dbsync.js"]) {
    using client = await RawClient.open(port);
    client.send(`GET ${path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`);
    assert.match(await client.rest(), /^HTTP\/1\.1 421 /);
  }
  assert.equal((await fetch(`${url}/${"x".repeat(10_000)}`)).status, 431);
});

test("listeners that do not read delay no client, and the daemon disconnects the oldest", async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  const port = await daemon.portOf("/healthz and /metrics");

  const ask = async (): Promise<Socket> => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {}).pause();
    await once(socket, "connect");
    socket.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return socket;
  };

  const all: Socket[] = [];
  for (let i = 0; i < 200; i++) all.push(await ask());

  const frames = framesFrom(port);
  assert.equal(((await frames.next()).value as DashboardFrame).state, "live");
  const health = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.equal(health.status, 200);

  // The oldest connections have been closed, which their clients notice when they read.
  await Promise.all(
    all.slice(0, 180).map(async (socket) => {
      const closed = once(socket, "close");
      socket.resume();
      await closed;
    }),
  );

  await frames.return(undefined);
  for (const socket of all) socket.destroy();
});

test("no events are created without a listener, and a listener with too many unread events is disconnected", async () => {
  const calls: string[] = [];
  const event = "x".repeat(16 * 1024 * 1024);
  let ended: () => void = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const source = { begin: () => calls.push("begin"), next: () => event, end: () => ended() };
  const stream = new EventStream(source, assert.ifError);
  const server = createServer((_, response) => stream.add(response));
  await listenAtFreePort(server);
  assert.deepEqual([calls, stream.size], [[], 0]);

  const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  socket.on("error", () => {}).pause();
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await end;
  assert.deepEqual([calls, stream.size], [["begin"], 0]);

  socket.destroy();
  server.close();
});

test("a newly opened page receives earlier data, even if no page was open before", async () => {
  const pair = makeKeyPair();
  using folder = makeFolder();
  await using daemon = await startDaemon(["--admin", "0", "-s", pair.file, "--data", folder.path]);
  const url = `http://127.0.0.1:${await daemon.portOf("/healthz and /metrics")}/history`;
  using client = await EnvelopeClient.open(daemon.port, pair);
  for (let i = 0; i < 50; i++) await client.replies([["SET", "secret-name", "secret-value"]]);

  const historyOf = async () => (await (await fetch(url)).json()) as DashboardHistory;
  const { arrivals } = await historyOf();
  assert.equal(
    arrivals.reduce((sum, [, clients]) => sum + clients, 0),
    50,
  );

  let history = await historyOf();
  await until("the history has two samples", async () => (history = await historyOf()).samples.length >= 2);
  for (const row of history.samples) assert.equal(row.length, 1 + SAMPLE_SERIES.length);
  const memory = history.samples.at(-1)?.[1 + SAMPLE_SERIES.indexOf("memory")] ?? 0;
  assert.ok(memory > 1_000_000, `${memory}`);
  assert.doesNotMatch(JSON.stringify(history), /secret/);

  const foreign = await fetch(url, { headers: { "sec-fetch-site": "cross-site" } });
  assert.equal(foreign.status, 403);
  const headers = (await fetch(url)).headers;
  assert.equal(headers.get("access-control-allow-origin"), null);
  assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
  assert.equal((await fetch(url, { method: "POST", body: "x" })).status, 405);
});

test("the samples cover an hour, and unknown values remain unknown", () => {
  const samples = new Samples();
  const values = Object.fromEntries(SAMPLE_SERIES.map((name) => [name, 1 / 3])) as unknown as SampleValues;
  for (let i = 0; i < 3 * SAMPLES_MAX; i++) samples.add(i * SAMPLE_EVERY_MS, { ...values, lag: null });
  const rows = JSON.parse(samples.json) as DashboardHistory["samples"];
  assert.equal(rows.length, SAMPLES_MAX);
  assert.equal(rows[0]?.[0], 2 * SAMPLES_MAX * SAMPLE_EVERY_MS);
  assert.deepEqual(rows.at(-1), samples.last);
  assert.equal(samples.last?.[1], 0.3333);
  assert.equal(samples.last?.[SAMPLE_SERIES.indexOf("lag") + 1], null);
  assert.ok(samples.json.length < 100_000, "a page reads the complete history");
});
