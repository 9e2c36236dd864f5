/** Tests `dbsync top`: in a pipe, as JSON, and on a terminal (a pty, by script(1)). */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { figuresOf } from "../../../../tools/cli/status/daemon-figures.js";
import type { DaemonStatus } from "../../../../tools/cli/status/read-status.js";
import { Activities, memberListLine, quantile, topLines, topRows } from "../../../../tools/cli/top/top.js";
import { programPaths } from "../../../support/programs.js";
import { type Cluster, startCluster } from "../cluster.js";

let cluster: Cluster;
before(async () => {
  cluster = await startCluster(2);
});
after(() => cluster[Symbol.asyncDispose]());

const HEAD = /^ADDRESS +STATE +OPS\/S +P50\/P99 MS +KEYS +MEMORY +CONNS +VERSION$/;
const ROW = /^127\.0\.0\.1:\d+ +live +(\d+|-) +([\d.]+\/[\d.]+|-) +0 +\d+\.\d MB +\d+ +\d+\.\d+\.\d+$/;

test("in a pipe each update is a plain table of at most 80 columns", async () => {
  const words = ["top", "--rounds", "2", "--every", "1", "--timeout", "20000", "-k", "root.pem"];
  const { code, stdout, stderr } = await cluster.run(words);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.doesNotMatch(stdout, /\x1b/);
  const rounds = stdout.split("\n\n").filter((text) => text !== "");
  assert.equal(rounds.length, 2, stdout);
  for (const round of rounds) {
    const [head = "", ...rows] = round.trimEnd().split("\n");
    assert.match(head, HEAD);
    assert.equal(rows.length, 2);
    for (const row of rows) assert.match(row, ROW);
    for (const line of [head, ...rows]) assert.ok(line.length <= 80, line);
  }
  assert.doesNotMatch(rounds[1] ?? "", /live +-/, "rates are known at the second update");
});

test("with --json each update is printed as a line, and --explain contacts no daemon", async () => {
  const { stdout } = await cluster.run([
    "top",
    "--rounds",
    "1",
    "--json",
    "--timeout",
    "20000",
    "-k",
    "root.pem",
  ]);
  const { daemons } = JSON.parse(stdout) as { daemons: { figures: { software: string }; activity: null }[] };
  assert.equal(daemons.length, 2);
  for (const { figures, activity } of daemons) {
    assert.match(figures.software, /^\d+\./);
    assert.equal(activity, null);
  }
  const { code, stdout: explained } = await cluster.run(["top", "--explain", "-s", "127.0.0.1:1"]);
  assert.equal(code, 0);
  assert.match(explained, /^OPS\/S +commands that it answered per second/m);
});

test("without an administrator's key a hint is printed", async () => {
  const { code, stdout } = await cluster.run(["top", "--rounds", "1", "--json", "-k", "app.pem"]);
  assert.equal(code, 0);
  assert.match(stdout, /"figures":null/);
  assert.match(stdout, /to administrators/);
  const { stdout: tables, stderr } = await cluster.run([
    "top",
    "--rounds",
    "2",
    "--every",
    "1",
    "-k",
    "app.pem",
  ]);
  assert.doesNotMatch(tables, /administrators/);
  assert.equal(stderr.match(/to administrators/g)?.length, 1);
});

test("on a terminal the screen is redrawn, and a signal restores the cursor", async () => {
  const { folder, daemons } = cluster;
  const words = ["top", "--every", "1", "-s", daemons.servers, "-k", join(folder, "root.pem")];
  const command = [process.execPath, programPaths.dbsync, ...words].join(" ");
  const size = "stty cols 80 rows 24; ";
  const child = spawn("script", ["-qec", `${size}echo "id $$"; exec ${command}`, "/dev/null"], {
    env: { ...process.env, TERM: "xterm" },
    stdio: ["ignore", "pipe", "inherit"],
  });

  let output = "";
  let isEnding = false;
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
    const id = /id (\d+)/.exec(output)?.[1];
    if (isEnding || id === undefined || !/\x1b\[\d+A\r/.test(output)) return;
    isEnding = true;
    process.kill(Number(id), "SIGTERM");
  });

  const [code] = (await once(child, "close")) as [number];
  assert.equal(code, 143);
  assert.match(output, /\x1b\[\?25l/, "the cursor is hidden");
  assert.match(output, /\x1b\[\?25h\s*$/, "the cursor is shown again");

  const lines = output.replace(/\x1b\[[\d;?]*[A-Za-z]/g, "").split(/[\r\n]+/);
  for (const line of lines) assert.ok(line.length <= 80, `${line.length}: ${line}`);
  assert.ok(lines.some((line) => /^DAEMON +UPTIME +ERRORS\/S +REFUSED\/S +RECENT OPS\/S$/.test(line)));
});

const info = (commands: number, times: string) =>
  figuresOf(
    `# Dbsync\r\ndbsync_version:1.2.3\x1b[2J\r\ntotal_commands_processed:${commands}\r\n` +
      `dbsync_answered_usec_buckets:${times}\r\nbackend0:up=0,name=redis:a:1\r\n`,
  );

const daemonWith = (figures: DaemonStatus["figures"]) =>
  ({
    address: "a:1",
    ok: true,
    state: "live",
    stage: null,
    hasNoDatabase: false,
    figures,
    problems: [],
    remarks: [],
    progress: [],
    timeline: null,
    timelineNote: null,
  }) as unknown as DaemonStatus;

test("rates are computed from two updates, but not for a daemon that was started between them", () => {
  const activities = new Activities();
  const update = (commands: number, times: string, now: number) =>
    activities.update([daemonWith(info(commands, times))], now);

  update(100, "50=100,100=0,more=0", 1000);
  assert.equal(activities.of("a:1"), null);
  update(300, "50=299,100=0,more=1", 3000);
  assert.deepEqual(activities.of("a:1"), {
    commands: 100,
    errors: 0,
    refusals: 0,
    p50: 0.05,
    p99: 0.05,
  });

  update(5, "50=5,100=0,more=0", 5000);
  assert.equal(activities.of("a:1"), null);
  assert.deepEqual(activities.ratesOf("a:1"), [100]);
});

test("a quantile is the upper end of its bucket", () => {
  const times = [
    [50, 98],
    [100, 1],
    [Number.POSITIVE_INFINITY, 1],
  ] as const;
  assert.deepEqual([quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1)], [0.05, 0.1, Infinity]);
  assert.equal(quantile([[50, 0]], 0.5), null);
});

test("control characters from a daemon are escaped, and a daemon without figures is a line of dashes", () => {
  assert.equal(figuresOf("ERR no such section"), null);
  const rows = topRows([daemonWith(info(1, "50=1")), daemonWith(null)], new Activities());
  const lines = topLines({ rows, every: 2, now: 0, columns: 80 }).map(({ text }) => text);
  assert.ok(lines.every((text) => !text.includes("\x1b")));
  assert.ok(lines.some((text) => text.includes("1.2.3\\x1b[2J")));
  assert.ok(
    lines.some((text) => /^a:1 +live +- +- +- +- +- +-$/.test(text)),
    lines.join("\n"),
  );
});

test("a line shows the number of members on the list, the disconnected ones, and daemons that are not on the list", () => {
  const seenBy = (listed: boolean | null, connections: readonly string[]) =>
    connections.map((connection, index) => ({
      id: `${index}`,
      address: `db${index + 1}:1111`,
      listed,
      connection,
    }));
  const daemon = (
    address: string,
    lists: readonly number[],
    members: readonly object[],
    unlisted: string | null = null,
  ) =>
    ({
      ...daemonWith(null),
      address,
      daemon: "0",
      timeline: { lists, members, unlisted },
    }) as unknown as DaemonStatus;

  assert.equal(memberListLine([daemon("db1:1111", [], []), daemonWith(null)]), null);
  const well = [daemon("db1:1111", [2], seenBy(true, ["self", "connected"]))];
  assert.equal(memberListLine(well), "list 2: 2 members");

  const ill = [
    daemon(
      "db1:1111",
      [3],
      [...seenBy(true, ["self", "waiting"]), { address: "db4:1111", id: "9", listed: false }],
    ),
    daemon("db3:1111", [2], seenBy(true, ["waiting", "waiting"]), "it leaves it out"),
  ];
  assert.equal(
    memberListLine(ill),
    "list 2+3: 2 members; disconnected: db2:1111; not on it: db4:1111 db3:1111",
  );

  const rows = topRows(ill, new Activities());
  const lines = topLines({ rows, every: 2, now: 0, columns: 60 }).map(({ text }) => text);
  assert.match(lines[1] ?? "", /^list 2\+3: 2 members; disconnected: db2:1111/);
  assert.ok(lines.every((text) => text.length <= 60));
});
