/** Tests the status of three real daemons: during writes, while one starts, and while one is dead. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { clippedAddresses, fitted, tableLines } from "../../../../daemon/net/terminal/text-table.js";
import type { MemberStatus, TimelineStatus } from "../../../../tools/cli/status/daemon-figures.js";
import { sameText } from "../../../../tools/cli/status/report-tables.js";
import { runDbsync } from "../../../client/child.js";
import { programPaths } from "../../../support/programs.js";
import { scratchFolder } from "../../../support/scratch-folder.js";
import { Trio } from "../../../support/trio.js";
import { MEMBER, WELL } from "./well-timeline.js";

let trio: Trio;
let words: readonly string[];

before(async () => {
  trio = await Trio.start();
  const key = join(scratchFolder("trio-status"), "root.pem");
  const pem = trio.root.privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(key, pem, { mode: 0o600 });
  words = ["-s", trio.servers.join(","), "-k", key];
});
after(() => trio[Symbol.asyncDispose]());

/** Returns the cells of a column. */
function columnOf(stdout: string, head: string): readonly string[] {
  const tables = stdout
    .trimEnd()
    .split("\n\n")
    .map((table) => table.split("\n"));
  const [heads = "", ...rows] = tables.find(([first]) => first?.includes(head)) ?? [];
  const at = heads.indexOf(head);
  return rows.map((row) => row.slice(at).split(/ {2,}/)[0] ?? "");
}

const GRADES = /^(FAIL|WARN|WAIT) /gm;

test("dbsync status finds no problem in a healthy cluster under writes, and exits with 0", async () => {
  await using client = trio.client();
  let isOver = false;
  const write = async () => {
    for (let count = 0; !isOver; count++) await client.call(["SET", `k${count % 100}`, String(count)]);
  };

  const writers = Array.from({ length: 8 }, write);
  for (let round = 0; round < 5; round++) {
    const { code, stdout } = await runDbsync(["status", ...words]);
    assert.deepEqual([code, stdout.match(GRADES)], [0, null], stdout);
    assert.match(stdout, /^3 of 3 ready, no problems\n/);
    const held = columnOf(stdout, "HELD");
    assert.deepEqual([held.length, new Set(held).size], [3, 1], stdout);
    const same = columnOf(stdout, "SAME");
    assert.equal(same.length, 6, stdout);
    for (const cell of same) assert.match(cell, /^(?:yes|under way|to \d\d:\d\d:\d\dZ)$/, stdout);
  }

  const { code, stdout } = await runDbsync(["doctor", ...words]);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /\nAll checks passed\.\n$/);

  isOver = true;
  await Promise.all(writers);
});

test("dbsync status and dbsync doctor note that a member list is missing, until one is signed", async () => {
  const noted = async (command: "status" | "doctor") => {
    const { code, stdout } = await runDbsync([command, ...words]);
    assert.equal(code, 0, stdout);
    return stdout.match(/^NOTE {2}.*: it knows no signed member list, .*; .*dbsync members add /gm)?.length;
  };
  // The sentence of the status names all daemons.
  assert.deepEqual([await noted("status"), await noted("doctor")], [1, 3]);
  await trio.list();
  assert.deepEqual([await noted("status"), await noted("doctor")], [undefined, undefined]);
});

test("one dead daemon of two is one problem, which says that the other one sees it", async () => {
  await using pair = await Trio.start([], 2);
  await pair.list();
  const key = join(scratchFolder("pair-status"), "root.pem");
  writeFileSync(key, pair.root.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const status = (...servers: string[]) => runDbsync(["status", "-s", servers.join(","), "-k", key]);
  const [first = "", dead = ""] = pair.servers;

  await pair.end(1, "SIGKILL");
  let shown = "";
  await pair.until("the first daemon reports the disconnection", async () => {
    shown = (await status(first)).stdout;
    return shown.includes("seen by 1 of 1");
  });

  assert.deepEqual(shown.match(GRADES), ["FAIL "], shown);
  assert.match(
    shown,
    /^FAIL .*: 127\.0\.0\.1:\d+ is down for \d+ s, seen by 1 of 1( \(.*\))?; start it first/m,
  );
  const { stdout } = await status(first, dead);
  assert.deepEqual(stdout.match(GRADES), ["FAIL "], stdout);
});

test("one dead daemon of three causes one FAIL line, and --wait prints each step of its start", async () => {
  await trio.end(2, "SIGKILL");
  const dead = `127.0.0.1:${trio.ports[2]}`;
  await trio.until("the other daemons report the disconnection", async () => {
    const { stdout } = await runDbsync(["status", "--json", ...words]);
    return (stdout.match(/"connection":"connected"/g)?.length ?? 0) <= 2;
  });
  const status = await runDbsync(["status", ...words]);
  assert.equal(status.code, 1);
  assert.deepEqual(status.stdout.match(GRADES), ["FAIL "], status.stdout);
  assert.ok(status.stdout.includes(`FAIL  ${dead}: connect`), status.stdout);
  assert.match(status.stdout, /^2 of 3 ready\n/);

  const late = await runDbsync(["status", "--wait", "0", ...words]);
  assert.deepEqual([late.code, late.stderr], [1, ""]);
  const waiting = runDbsync(["status", "--wait", "100", ...words]);
  await trio.start(2);
  const { code, stdout, stderr } = await waiting;
  assert.deepEqual([code, stdout.match(GRADES)], [0, null], stdout);
  const lines = stderr.trimEnd().split("\n");
  assert.ok(
    lines.every((line) => line.startsWith("dbsync: waiting: 2 of 3 ready; ")),
    stderr,
  );
  assert.equal(new Set(lines).size, lines.length, "each step is one line");
  assert.ok(stderr.includes(`2 of 3 ready; ${dead}: connect`), stderr);
});

/** Types a key when `shown` has appeared. */
async function typedAt(args: readonly string[], shown: RegExp, key: string): Promise<number | null> {
  const command = [process.execPath, programPaths.dbsync, ...args].join(" ");
  const child = spawn("script", ["-qefc", `stty cols 80 rows 30; exec ${command}`, "/dev/null"], {
    env: { ...process.env, TERM: "xterm" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  let isTyped = false;
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
    if (isTyped || !shown.test(output)) return;
    isTyped = true;
    child.stdin.write(key);
  });
  const [code] = (await once(child, "close")) as [number | null];
  return code;
}

for (const key of ["q", "\x03"])
  for (const [args, shown] of [
    [["status", "--watch"], /3 of 3 ready/],
    [["top"], /3 of 3 ready/],
    [["log", "--follow", "--limit", "1"], /applied/],
  ] as const)
    test(`${key === "q" ? "q" : "Ctrl-C"} ends ${args.join(" ")}`, async () => {
      assert.equal(await typedAt([...args, ...words], shown, key), 0);
    });

test("the column SAME shows the result of the comparison with each member", () => {
  const own = { ...WELL, settledFingerprint: "s", settledUpto: Date.UTC(2026, 0, 2, 3, 4, 5) };
  const member = { ...MEMBER, equal: false };
  const text = (
    { theirs = own, ...changed }: Partial<MemberStatus> & { theirs?: TimelineStatus },
    mine: TimelineStatus = own,
  ) =>
    sameText({ ...member, ...changed }, mine, [
      { address: "b:1", daemon: "ab", state: "live", timeline: theirs },
    ]);

  assert.equal(text({ equal: true }), "yes");
  assert.equal(text({ equal: null }), "-");
  assert.equal(text({ connection: "waiting" }), "-");
  assert.equal(text({}), "to 03:04:05Z");
  assert.equal(text({ theirs: { ...own, settledFingerprint: "t" } }), "no");
  assert.equal(text({ theirs: { ...own, settledFingerprint: "t", state: "catching-up" } }), "under way");
  assert.equal(text({ theirs: { ...own, settledUpto: null, settledFingerprint: null } }), "under way");
  assert.equal(text({ id: "cd" }), "under way", "its timeline is unknown");

  const differing = [{ db: 0, key: "k", verdict: "member", members: ["ab"] }];
  assert.equal(text({ equal: true }, { ...own, differing }), "no");
});

test("shortened addresses in a table remain different", () => {
  const clipped = (addresses: readonly string[], chars: number) => [
    ...clippedAddresses(addresses, chars).values(),
  ];

  for (const names of [
    ["db-1.eu-west.prod.example.com:1111", "db-2.eu-west.prod.example.com:1111"],
    ["eu-west-prod-db-1.example.com:1111", "eu-west-prod-db-2.example.com:1111"],
    ["127.0.0.1:21111", "127.0.0.1:21112", "127.0.0.1:21113"],
    ["a-long-name-of-a-host.example.com:1111", "a-long-name-of-a-host.example.com:1112", "127.0.0.1:1111"],
  ]) {
    const short = clipped(names, 12);
    assert.equal(new Set(short).size, names.length, short.join());
    assert.ok(
      short.every((name) => name.length <= 12),
      short.join(),
    );
  }
  assert.deepEqual(clipped(["10.0.0.1:1111"], 13), ["10.0.0.1:1111"]);

  const rows = [
    ["ADDRESS", "STATE"],
    ["dbsyncs://db-1.eu-west.prod.example.com:1111", "live"],
    ["dbsyncs2://db-2.eu-west.prod.example.com:1111", "live"],
  ];
  const lines = tableLines(fitted(rows, 30));
  assert.deepEqual(lines.slice(1), ["db-1.eu-wes…le.com:1111  live", "db-2.eu-wes…le.com:1111  live"]);
});
