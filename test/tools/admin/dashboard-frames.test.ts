/**
 * Tests that the data of the page comes from counters that also count while no page is open, and that only pages of
 * the same site receive it.
 */
import assert from "node:assert/strict";
import { get } from "node:http";
import { test } from "node:test";
import pino from "pino";
import type { ReplicaFigures } from "../../../daemon/cluster/history/replica-figures.js";
import { Histogram } from "../../../daemon/net/process/histogram.js";
import { parseHostAndPort } from "../../../daemon/net/process/host-and-port.js";
import { Metrics } from "../../../daemon/program/inspection/metrics.js";
import * as daemonProblems from "../../../protocol/figures/daemon-problems.js";
import { DATABASE_DOWN } from "../../../protocol/figures/daemon-problems.js";
import { noMessages } from "../../../protocol/figures/message-figures.js";
import * as timelineProblems from "../../../protocol/figures/timeline-problems.js";
import {
  type DashboardFrame,
  type DashboardHistory,
  SAMPLE_EVERY_MS,
} from "../../../protocol/json/dashboard-frame.js";
import { ClusterSums, type FrameSources, Frames } from "../../../tools/admin/dashboard-frames.js";
import { AdminServer } from "../../../tools/admin/http/admin-server.js";
import { double } from "../../support/double.js";
import { WELL } from "../cli/status/well-timeline.js";

type Watcher = Parameters<FrameSources["watchRecorded"]>[0];

function framesOf(parts: Partial<FrameSources> = {}) {
  let watcher: Watcher = null;
  const sources: FrameSources = {
    metrics: new Metrics(),
    workingMemory: () => ({ used: 0, peak: 0, limit: 0, waiting: 0 }),
    health: () => ({
      version: "1",
      state: "database-down",
      backends: [{ name: "redis:db:6379", up: false }],
    }),
    bufferedBytes: () => 0,
    replica: () => null,
    order: () => ({
      ...{ trouble: "no server answers", applied: 1, behind: 0, skipped: 0, waiting: 0, connections: 0 },
      published: { stored: 0, repeated: 0, refused: 0, unknown: 0 },
      publishing: new Histogram([]),
      lowDisk: null,
    }),
    keys: () => null,
    clock: () => 1_000_000,
    memory: () => ({ used: 0, limit: 0 }),
    ring: () => null,
    watchRecorded: (next) => {
      watcher = next;
    },
    ws: () => null,
    folder: null,
    ...parts,
  };
  return { frames: new Frames(sources), watcher: () => watcher };
}

test("the dashboard counts writes before a page is open, and counts none after it was stopped", (t) => {
  const { frames, watcher } = framesOf();
  t.after(() => frames.stop());
  frames.start();
  for (let i = 0; i < 500; i++) watcher()?.([{ at: 999_000 + i }], true);
  const { arrivals, samples } = JSON.parse(frames.history) as DashboardHistory;
  assert.equal(
    arrivals.reduce((sum, [, clients]) => sum + clients, 0),
    500,
  );
  assert.deepEqual(samples, []);
  frames.begin();
  frames.next();
  assert.equal((JSON.parse(frames.history) as DashboardHistory).arrivals.length, arrivals.length);
  frames.stop();
  assert.equal(watcher(), null);
});

test("the main port is one row of the listeners, and version 1 a part of it", () => {
  const metrics = new Metrics();
  metrics.connected("dbsync", 1);
  metrics.served("dbsync-v2", 5, 1);
  metrics.served("resp", 2, 0);
  const { frames } = framesOf({ metrics });
  const rows = () =>
    (JSON.parse(frames.next()) as DashboardFrame).listeners.map((row) => Object.values(row).join(" "));
  assert.deepEqual(rows(), ["dbsync 4 1 1", "resp 2 0 0"]);
  metrics.served("dbsync-v1", 3, 0);
  assert.deepEqual(rows(), ["dbsync 7 1 1", "of these, version 1 3 0 ", "resp 2 0 0"]);
});

test("the rates of the cluster are the sums of the daemons that have reported since the previous sample", () => {
  const sums = new ClusterSums();
  const own = { units: 10, refused: 1, connections: 2 };
  const member = { connection: "connected", aboutAge: 500, clientRefusals: 0, clientConnections: 3 };
  const taken = (now: number, ...answers: readonly (number | null)[]) => {
    const members = answers.map((clientAnswers, id) => ({ ...member, id: `${id}`, clientAnswers }));
    return Object.values(sums.take(own, members, now));
  };
  assert.deepEqual(taken(0), [null, null, null, null], "a daemon without members");
  assert.deepEqual(taken(5000, 100, null), [10, 1, 2, 1], "the rate of a member needs two reports");
  assert.deepEqual(taken(10_000, 200, 70), [30, 1, 5, 2]);
  assert.deepEqual(taken(15_000, 300, 120), [40, 1, 8, 3]);
  assert.deepEqual(taken(20_000, 0, 120), [10, 1, 8, 3], "a member that was started again counts from 0");
  assert.deepEqual(taken(20_400, 0, 120), [10, 1, 2, 1], "no member has reported again");
});

test("the first sample has the rates since the start, without the entries that were loaded from the folder", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  for (const folder of [null, "data"]) {
    const metrics = new Metrics();
    let dataEntries = 0;
    const replica = () => double<ReplicaFigures>({ ringEntries: 0, dataEntries, members: [] });
    const { frames } = framesOf({ metrics, replica, folder });
    t.after(() => frames.stop());
    frames.start();
    metrics.served("dbsync-v2", 5, 0);
    dataEntries = 5;
    t.mock.timers.tick(SAMPLE_EVERY_MS);
    const [units, recorded] = (JSON.parse(frames.history) as DashboardHistory).samples[0]?.slice(1) ?? [];
    assert.ok(Number(units) > 0, `${units}`);
    if (folder === null) assert.equal(recorded, units);
    else assert.equal(recorded, null);
  }
});

test("a frame contains problems in the wording of dbsync doctor", () => {
  const { isHealthy, problems } = JSON.parse(framesOf().frames.next()) as DashboardFrame;
  assert.equal(isHealthy, false);
  assert.deepEqual(
    problems.map(({ text }) => text),
    ["its database redis:db:6379 is down", "the stream of its --order: no server answers"],
  );
});

test("the page shows the problems of every table of rules", () => {
  const figures = { ...WELL, failure: "EIO", messages: noMessages() };
  const parts: Partial<FrameSources>[] = [
    {},
    { health: () => ({ version: "1", state: "catching-up", backends: [] }) },
    { replica: () => double<ReplicaFigures>(figures) },
  ];

  const texts = parts.flatMap((part) => {
    const { problems } = JSON.parse(framesOf(part).frames.next()) as DashboardFrame;
    return problems.map(({ text }) => text);
  });

  const tables = Object.entries({ ...daemonProblems, ...timelineProblems }).filter(([name]) =>
    name.endsWith("_RULES"),
  );
  assert.deepEqual(tables.map(([name]) => name).sort(), ["ORDER_RULES", "STATE_RULES", "TIMELINE_RULES"]);

  for (const [name, table] of [...tables, ["DATABASE_DOWN", { databaseDown: DATABASE_DOWN }] as const]) {
    const sentences = Object.values(table as Readonly<Record<string, { readonly says: string }>>);
    const isShown = sentences.some(({ says }) =>
      texts.some((text) => says.split("…").every((part) => text.includes(part.trim()))),
    );
    assert.ok(isShown, `${name}: use it in #problems of tools/admin/dashboard-frames.ts`);
  }
});

test("pages of other sites do not receive the data of the page", async () => {
  const page = { type: "application/json", body: "{}", isOwn: true };
  const site = {
    name: "/",
    eventsPath: "/events",
    page: (path: string) => (path === "/history" ? page : null),
    listen() {},
    start() {},
    stop() {},
  };

  const server = new AdminServer({
    listenAddress: parseHostAndPort("0"),
    hosts: [],
    health: () => ({ isHealthy: true, details: {} }),
    exposition: double({}),
    site,
    log: pino({ enabled: false }),
  });
  await server.start();
  const { port } = server.address;

  const statusFor = (site: string) =>
    new Promise((resolve, reject) => {
      const headers = { "sec-fetch-site": site };
      const request = get(
        { port, host: "127.0.0.1", path: "/history", headers, agent: false },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      request.on("error", reject);
    });

  assert.deepEqual(
    await Promise.all(["same-origin", "cross-site", "same-site", "none"].map(statusFor)),
    [200, 403, 403, 403],
  );
  await server.stop();
});
