/** Tests which sections INFO returns, and that a value cannot add lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type InfoValues, infoText } from "../../../../daemon/engine/info/info-text.js";

const VALUES: InfoValues = {
  uptime: 90_000_500,
  now: 1_700_000_000_123,
  settings: { data: null, fsync: "always" },
  port: 4321,
  clients: 2,
  maxClients: 10,
  accepted: 3,
  commands: 5,
  errors: 1,
  memory: { used: 1536, limit: 0 },
  workingMemory: { used: 1, peak: 2, limit: 3, waiting: 0 },
  eviction: { policy: "noeviction", evicted: 7 },
  keys: {
    keyCounts: [{ db: 3, keys: 2, expiring: 1, ttl: 40 }],
    expiredKeys: 6,
    changes: { lookups: { hits: 8, misses: 9 } },
  },
  condition: { state: "live", reason: "" },
  members: null,
};

const titles = (text: string) => [...text.matchAll(/^# (\w+)\r$/gm)].map(([, title]) => title);

const COMMON = ["Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules"];

test("without names, INFO returns the usual sections that the source has, in Redis's order", () => {
  const own = { errorstats: () => ({ errorstat_ERR: "count=1" }), commandstats: () => ({ cmdstat_get: 1 }) };
  const usual = [...COMMON, "Errorstats", "Cluster", "Keyspace"];
  assert.deepEqual(titles(infoText([], VALUES, own)), usual);
  assert.deepEqual(titles(infoText(["Default"], VALUES, own)), usual);
  for (const word of ["all", "EVERYTHING"])
    assert.deepEqual(titles(infoText([word], VALUES, own)), [
      ...COMMON,
      ...["Commandstats", "Errorstats", "Cluster", "Keyspace"],
    ]);
  assert.deepEqual(titles(infoText([], VALUES, {})), [...COMMON, "Cluster", "Keyspace"]);
  assert.equal(infoText(["latencystats", "foo"], VALUES, own), "");
});

test("the CPU fields are seconds, as the process counts them", () => {
  const cpu = () => {
    const text = infoText(["cpu"], VALUES, {});
    return ["sys", "user"].map((kind) =>
      Number(new RegExp(`^used_cpu_${kind}:(\\d+\\.\\d{6})\r$`, "m").exec(text)?.[1]),
    );
  };
  const seconds = () => {
    const { system, user } = process.cpuUsage();
    return [system / 1e6, user / 1e6];
  };
  const [before, shown, after] = [seconds(), cpu(), seconds()];
  for (const [at, value] of shown.entries())
    assert.ok(
      value >= (before[at] as number) && value <= (after[at] as number),
      `${before} ${shown} ${after}`,
    );
});

test("a section has the common fields and then the source's own", () => {
  assert.equal(
    infoText(["keyspace", "clients"], VALUES, { clients: () => ({ blocked_clients: 4 }) }),
    "# Clients\r\nconnected_clients:2\r\nmaxclients:10\r\nblocked_clients:4\r\n\r\n" +
      "# Keyspace\r\ndb3:keys=2,expires=1,avg_ttl=40\r\n",
  );
  assert.match(infoText(["server"], VALUES, {}), /\r\nuptime_in_seconds:90000\r\nuptime_in_days:1\r\n/);
  assert.match(infoText(["memory"], VALUES, {}), /\r\nused_memory:1536\r\nused_memory_human:1\.50K\r\n/);
});

test("fields whose values are unknown are absent", () => {
  const stats = infoText(["stats", "replication"], VALUES, {});
  assert.match(stats, /\r\nkeyspace_hits:8\r\nkeyspace_misses:9\r\n/);
  assert.doesNotMatch(stats, /dbsync_members/);
  const elsewhere = infoText(["stats", "replication"], { ...VALUES, keys: null, members: 2 }, {});
  assert.match(elsewhere, /\r\nexpired_keys:0\r\n/);
  assert.doesNotMatch(elsewhere, /keyspace_/);
  assert.match(elsewhere, /\r\ndbsync_members:2\r\n/);
});

test("a value stays on its line, and is sent as UTF-8", () => {
  const own = { dbsync: () => ({ dbsync_reason: "disk\r\nrole:slave\n", backend0: "é" }) };
  assert.equal(
    infoText(["dbsync"], VALUES, own),
    "# Dbsync\r\ndbsync_reason:disk role:slave \r\nbackend0:\u00c3\u00a9\r\n",
  );
});

test("the persistence fields exist without --data too, and failed writes are shown", () => {
  const text = infoText(["persistence", "server"], VALUES, {});
  assert.match(text, /\r\nlru_clock:5501184\r\n/);
  assert.match(text, /\r\nrdb_last_save_time:1699909999\r\nrdb_last_bgsave_status:ok\r\n/);
  assert.match(text, /\r\naof_enabled:0\r\n/);
  assert.match(text, /\r\naof_last_write_status:ok\r\n/);
  const condition = { state: "storage-failed", reason: "disk" } as const;
  const values = { ...VALUES, settings: { data: "/data", fsync: "never" as const }, condition };
  const failed = infoText(["persistence"], values, {});
  assert.match(failed, /\r\nrdb_last_save_time:1700000000\r\n/);
  assert.match(failed, /\r\naof_last_write_status:err\r\ndbsync_fsync:never\r\n/);
});
