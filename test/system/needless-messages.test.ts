/**
 * A restore onto a full disk prints one sentence and exits with 1. Daemons with new folders do not flag
 * answers as late if no command is late. A daemon that is not on the member list does not log the same error at every
 * attempt to connect.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CuttablePort } from "../support/cuttable-port.js";
import { programPaths } from "../support/programs.js";
import { type Ended, run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

const WRITES = 100;
/** The size of the small disk in bytes: less than the contents of the backup. */
const DISK = 65_536;
/**
 * The number of connection attempts during which the log is counted, and the maximum number of lines with the same
 * error and address.
 */
const ATTEMPTS = 12;
const REPORTS_MAX = 2;

/** The indices of the listed daemons, two of three. */
const LISTED = [0, 1];
const UNLISTED = 2;

const dbsync = (args: readonly string[]): Promise<Ended> =>
  run(process.execPath, [programPaths.dbsync, ...args]);

/** Mounts a small file system, which requires root. @returns whether this succeeded */
function mountFull(path: string): boolean {
  mkdirSync(path);
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK}`, "none", path]).status === 0;
}

/** The sizes and numbers of values. The disk becomes full in the log, or in the file that the log is moved to. */
for (const [bytes, keys] of [
  [20_000, 20],
  [100, 50],
] as const)
  test(`dbsync restore of values of ${bytes} bytes onto a full disk prints one sentence and exits with 1`, {
    timeout: 300_000,
  }, async (context) => {
    using folder = new ScratchFolder();
    const disk = join(folder.path, "disk");
    if (!mountFull(disk))
      return context.skip(
        "this user cannot mount a small disk; test/operations/full-disk uses a file size limit instead",
      );
    try {
      await using trio = await Trio.start([], 1);
      await using client = trio.client();
      for (let key = 0; key < keys; key++) await client.call(["SET", `k${key}`, "x".repeat(bytes)]);
      const backup = join(folder.path, "all.dbsync");
      const backupResult = await dbsync(["backup", "--data", trio.folder(0), backup]);
      assert.equal(backupResult.code, 0, backupResult.stderr);
      const target = join(disk, "data");
      const { code, stderr } = await dbsync(["restore", backup, "--data", target]);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /^dbsync: [^\n]+\n(?:\([^\n]+\)\n)?$/, "one sentence, no stack trace");
      assert.match(stderr, /ENOSPC|no room|space|full/i);
      assert.ok(stderr.includes(target), stderr);
      assert.ok(!existsSync(target) || readdirSync(target).length === 0, "no incomplete data folder remains");
    } finally {
      spawnSync("umount", [disk]);
    }
  });

test("daemons with new folders flag no answer as late if no command is late", {
  timeout: 300_000,
}, async () => {
  await using trio = await Trio.start();
  // docs/consistency.md: the daemons of a new cluster stop flagging answers when all their configured peers are
  // connected.
  await trio.until("all daemons are connected", async () =>
    (await trio.statuses()).every(({ connected }) => connected === 2),
  );
  await using client = trio.client();
  const lateKeys: string[] = [];
  for (let number = 1; number <= WRITES; number++) {
    const answer = client.call(["INCR", `counter ${number % 3}`], { policy: "majority" });
    await answer.catch((problem: Error & { code?: string }) =>
      lateKeys.push(`${number}: ${problem.code}: ${problem.message}`),
    );
  }
  assert.deepEqual(
    lateKeys.filter((line) => line.includes("late-answers")),
    [],
  );
  assert.ok(lateKeys.length < WRITES, lateKeys[0]);
});

test("an unlisted daemon does not log the same error at each connection attempt", {
  timeout: 400_000,
}, async () => {
  using folder = new ScratchFolder();
  await using trio = await Trio.make([], 3);
  await using first = await CuttablePort.open(() => trio.ports[0] as number);
  await using second = await CuttablePort.open(() => trio.ports[1] as number);
  const gates = [first, second];

  let attempts = 0;
  for (const gate of gates) gate.onConnection = () => attempts++;

  // The unlisted daemon connects to the listed daemons through these gates.
  trio.linkPort = (from, to) =>
    from === UNLISTED ? (gates[to] as CuttablePort).port : (trio.ports[to] as number);
  for (const index of LISTED) await trio.start(index);

  const key = folder.privateKey(trio.root);
  const listed = LISTED.map((index) => trio.servers[index] as string);
  let last: Ended | null = null;
  await until("a member list is signed", async () => {
    last = await dbsync(["members", "add", ...listed, "-s", listed.join(), "-k", key, "--timeout", "20000"]);
    return last.code === 0;
  }).catch((problem: Error) => assert.fail(`${problem.message}: ${last?.stdout}${last?.stderr}`));

  await trio.start(UNLISTED);
  await until("the daemon has repeated its attempts", () => attempts >= ATTEMPTS);

  const counts = new Map<string, number>();
  for (const { level, msg, ...more } of trio.daemon(UNLISTED).log) {
    if (!["warn", "error", "fatal"].includes(level)) continue;
    const text = `${level} ${msg} ${more["code"] ?? ""} ${more["reason"] ?? ""} ${more["address"] ?? ""}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }

  const repeated = [...counts].filter(([, count]) => count > REPORTS_MAX);
  assert.deepEqual(repeated, []);
});
