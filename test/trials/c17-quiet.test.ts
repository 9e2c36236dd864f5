/**
 * Trial C17. A restore onto a full disk ends with a sentence and code 1; daemons with fresh folders mark no answer
 * late when no command is; a daemon that is not on the member list does not log the same error at every attempt
 * to connect.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Trio } from "../faults/trio.js";
import { programPaths } from "../support/programs.js";
import { type Ended, run } from "../support/run-program.js";
import { Gate } from "./gate.js";
import { Folder, until } from "./scene.js";

const WRITES = 100;
/** Bytes of the full disk: less than the backup's contents. */
const DISK = 65_536;
/**
 * Attempts to connect that the daemon makes while its log is counted, and how often it may report one error of one
 * address meanwhile.
 */
const ATTEMPTS = 12;
const REPORTS_MAX = 2;

/** The listed ones of three daemons. */
const LISTED = [0, 1];
const UNLISTED = 2;

const dbsync = (args: readonly string[]): Promise<Ended> =>
  run(process.execPath, [programPaths.dbsync, ...args]);

/** Mounts a file system without space, for root alone. @returns whether that succeeded */
function mountFull(path: string): boolean {
  mkdirSync(path);
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK}`, "none", path]).status === 0;
}

/** Sizes and numbers of values: the disk becomes full in the log, or in the file that the log is written to. */
for (const [bytes, keys] of [
  [20_000, 20],
  [100, 50],
] as const)
  test(`a restore of values of ${bytes} bytes onto a full disk ends with a sentence and code 1`, {
    timeout: 300_000,
  }, async (context) => {
    using folder = new Folder();
    const disk = join(folder.path, "disk");
    if (!mountFull(disk))
      return context.skip(
        "this user cannot mount a small disk; test/operations/full-disk has a limit instead",
      );
    try {
      await using trio = await Trio.start([], 1);
      await using client = trio.client();
      for (let key = 0; key < keys; key++) await client.call(["SET", `k${key}`, "x".repeat(bytes)]);
      const backup = join(folder.path, "all.dbsync");
      const made = await dbsync(["backup", "--data", trio.folder(0), backup]);
      assert.equal(made.code, 0, made.stderr);
      const target = join(disk, "data");
      const { code, stderr } = await dbsync(["restore", backup, "--data", target]);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /^dbsync: [^\n]+\n(?:\([^\n]+\)\n)?$/, "one sentence, no stack trace");
      assert.match(stderr, /ENOSPC|no room|space|full/i);
      assert.ok(stderr.includes(target), stderr);
      assert.ok(!existsSync(target) || readdirSync(target).length === 0, "nothing looks like a data folder");
    } finally {
      spawnSync("umount", [disk]);
    }
  });

test("fresh folders mark no answer late when no command is late", { timeout: 300_000 }, async () => {
  await using trio = await Trio.start();
  // docs/consistency.md: a new cluster's daemons stop marking answers when all their configured peers have connected.
  await trio.until("all are connected", async () =>
    (await trio.statuses()).every(({ connected }) => connected === 2),
  );
  await using client = trio.client();
  const late: string[] = [];
  for (let number = 1; number <= WRITES; number++) {
    const answer = client.call(["INCR", `counter ${number % 3}`], { policy: "majority" });
    await answer.catch((problem: Error & { code?: string }) =>
      late.push(`${number}: ${problem.code}: ${problem.message}`),
    );
  }
  assert.deepEqual(
    late.filter((line) => line.includes("late-answers")),
    [],
  );
  assert.ok(late.length < WRITES, late[0]);
});

test("an unlisted daemon does not log the same trouble at each attempt", { timeout: 400_000 }, async () => {
  using folder = new Folder();
  await using trio = await Trio.make([], 3);
  await using first = await Gate.open(() => trio.ports[0] as number);
  await using second = await Gate.open(() => trio.ports[1] as number);
  const gates = [first, second];
  let attempts = 0;
  for (const gate of gates) gate.onConnection = () => attempts++;
  // The unlisted daemon reaches the listed ones through these gates.
  trio.linkPort = (from, to) => (from === UNLISTED ? (gates[to] as Gate).port : (trio.ports[to] as number));
  for (const index of LISTED) await trio.start(index);
  const key = folder.privateKey(trio.root);
  const listed = LISTED.map((index) => trio.servers[index] as string);
  let last: Ended | null = null;
  await until("a list of members is signed", async () => {
    last = await dbsync(["members", "add", ...listed, "-s", listed.join(), "-k", key, "--timeout", "20000"]);
    return last.code === 0;
  }).catch((problem: Error) => assert.fail(`${problem.message}: ${last?.stdout}${last?.stderr}`));
  await trio.start(UNLISTED);
  await until("it has tried again", () => attempts >= ATTEMPTS);
  const counts = new Map<string, number>();
  for (const { level, msg, ...more } of trio.daemon(UNLISTED).log) {
    if (!["warn", "error", "fatal"].includes(level)) continue;
    const text = `${level} ${msg} ${more["code"] ?? ""} ${more["reason"] ?? ""} ${more["address"] ?? ""}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const repeated = [...counts].filter(([, count]) => count > REPORTS_MAX);
  assert.deepEqual(repeated, []);
});
