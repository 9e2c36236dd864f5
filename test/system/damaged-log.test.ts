/**
 * Attack: damage the folder of a killed daemon so that it loses entries. `dbsync log verify` reports the damage and
 * changes nothing.
 */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { skipUnlessFull, some } from "../support/amount.js";
import { programPaths } from "../support/programs.js";
import { run } from "../support/run-program.js";
import { stopProcess } from "../support/stop-process.js";
import { sha256 } from "./attacker/key.js";
import { Victims } from "./attacker/victims.js";

const LIMIT = { timeout: 300_000 };
const WRITES = 120;

/** Returns the names and hashes of all files in a folder. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  const isFile = (name: string) => statSync(join(folder, name)).isFile();
  return Object.fromEntries(
    files.filter(isFile).map((name) => [name, sha256(readFileSync(join(folder, name))).toString("hex")]),
  );
}

async function verify(victims: Victims, folder: string): Promise<{ code: number | null; output: string }> {
  const keys = [
    "-s",
    join(victims.scratch.path, "application.pem"),
    "--root-key",
    join(victims.scratch.path, "root.pem"),
  ];
  const program = programPaths.dbsync;
  const { code, stdout, stderr } = await run(process.execPath, [
    program,
    "log",
    "verify",
    "--data",
    folder,
    ...keys,
  ]);
  return { code, output: stdout + stderr };
}

async function startWithWrites(): Promise<Victims> {
  const victims = await Victims.start(1);
  await victims.allLive();
  using client = await victims.client();
  for (let number = 0; number < WRITES; number++) await client.text("SET", `k${number}`, "v".repeat(100));
  return victims;
}

/**
 * The maximum number of daemons to kill until a database is missing entries of the log. The database is usually behind
 * the log, but it may have caught up at the time of the kill.
 */
const KILLS_MAX = 20;

/** Kills a daemon whose log contains entries that its database does not contain yet. */
async function killedWithTail(): Promise<Victims> {
  for (let kills = 1; ; kills++) {
    const victims = await startWithWrites();
    await victims.daemons[0]?.[Symbol.asyncDispose]();
    const copy = join(victims.scratch.path, "copy");
    cpSync(victims.folder(0), copy, { recursive: true });
    const log = longestLog(copy);
    truncateSync(log, writtenBytes(log) - 1);
    if (kills === KILLS_MAX || (await verify(victims, copy)).code === 1) return victims;
    await victims[Symbol.asyncDispose]();
  }
}

/** Returns the longest log file, which is the one with entries. */
function longestLog(folder: string): string {
  const timeline = join(folder, "timeline");
  const logs = readdirSync(timeline)
    .filter((name) => /^log/.test(name))
    .map((name) => join(timeline, name));
  return logs.sort((a, b) => statSync(b).size - statSync(a).size)[0] as string;
}

/** Returns the length of a log without its preallocated zeros. */
function writtenBytes(log: string): number {
  return readFileSync(log).findLastIndex((byte) => byte !== 0) + 1;
}

describe("dbsync log verify", { concurrency: true }, () => {
  // test/system/log-verify.test.ts also checks this in short runs.
  test("changes nothing in the folder of a killed daemon, and prints the same result again", {
    ...LIMIT,
    skip: skipUnlessFull,
  }, async () => {
    await using victims = await startWithWrites();
    await victims.daemons[0]?.[Symbol.asyncDispose]();
    const before = contents(victims.folder(0));
    const first = await verify(victims, victims.folder(0));
    assert.deepEqual(contents(victims.folder(0)), before);
    assert.equal(first.code, 0, first.output);
    assert.match(first.output, new RegExp(`\\b${WRITES}\\b`));
    assert.deepEqual(await verify(victims, victims.folder(0)), first);
  });

  test("works on the folder of a running daemon, and changes nothing there", LIMIT, async () => {
    await using victims = await startWithWrites();
    // The daemon is stopped, so that it changes no file itself.
    await stopProcess(victims.daemons[0]?.pid as number);
    const before = contents(victims.folder(0));
    const { code, output } = await verify(victims, victims.folder(0));
    assert.equal(code, 0, output);
    assert.deepEqual(contents(victims.folder(0)), before);
    victims.daemons[0]?.kill("SIGCONT");
    using client = await victims.client();
    assert.equal(await client.text("SET", "after", "it"), "OK");
  });

  // test/system/log-verify.test.ts also checks this in short runs.
  test("reports in each run that the tail of the log is missing", {
    ...LIMIT,
    skip: skipUnlessFull,
  }, async () => {
    await using victims = await killedWithTail();
    const half = Math.floor(writtenBytes(longestLog(victims.folder(0))) / 2);
    const cuts = some([1, half, 400], 2);
    await Promise.all(
      cuts.map(async (bytes) => {
        const copy = join(victims.scratch.path, `cut-${bytes}`);
        cpSync(victims.folder(0), copy, { recursive: true });
        const log = longestLog(copy);
        truncateSync(log, writtenBytes(log) - bytes);
        const before = contents(copy);
        const first = await verify(victims, copy);
        assert.equal(first.code, 1, `${bytes} bytes cut: ${first.output}`);
        assert.deepEqual(contents(copy), before);
        assert.deepEqual(await verify(victims, copy), first, `${bytes} bytes cut, second run`);
      }),
    );
  });
});
