/**
 * Tests `dbsync log verify` on folders of killed and running daemons, and on damaged and read-only folders. The command
 * changes nothing, returns the same result when it is repeated, and reports a log whose end is missing. A daemon that
 * starts with such a folder also reports the loss.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openReader } from "../../daemon/timeline/disk/lmdb-reader.js";
import { MARKER_BYTES, readRecords, recordBytes } from "../../daemon/timeline/disk/log-record.js";
import type { FolderReport } from "../../tools/history/verification/timeline-verification.js";
import { amount } from "../support/amount.js";
import { runDaemon } from "../support/daemon-process.js";
import { programPaths } from "../support/programs.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

const NO_OBSERVER = 65_534;
const PAGE_BYTES = 4096;
const KEYS = 120;
const CUTS_AT_RANDOM = amount(1, 3);
/** The number of groups, chosen at random, after which the log is also cut. */
const ENDS_AT_RANDOM = amount(0, 3);
const PAGES_AT_RANDOM = amount(1, 10);
const RUNS_MEANWHILE = amount(1, 3);
const LOG = join("timeline", "log-1");

interface Keys {
  readonly app: { readonly file: string };
  readonly root: { readonly file: string };
}

interface Verified {
  readonly code: number;
  readonly report: FolderReport;
  readonly text: string;
}

/** The killed daemon. Its log contains groups that LMDB does not contain. */
let killed: Trio;
/** A copy of the killed daemon's folder. */
let killedFolder: string;
before(async () => {
  // Writes reach LMDB about 200 ms later, so LMDB may already contain all writes when the daemon is killed.
  await until("the log of a killed daemon contains writes that LMDB does not contain", async () => {
    await killed?.[Symbol.asyncDispose]();
    killed = await Trio.start([], 1);
    await using client = killed.client();
    await Promise.all(Array.from({ length: KEYS }, (_, i) => client.send(`SET key:${i} ${i}`)));
    for (let i = 0; i < 10; i++) await client.send(`APPEND key:0 ${i}`);
    await killed.end(0, "SIGKILL");
    return (await movedIn(killed.folder(0))) !== lastIn(killed.folder(0));
  });
  killedFolder = mkdtempSync(join(tmpdir(), "dbsync-verify-"));
  cpSync(killed.folder(0), killedFolder, { recursive: true });
});
after(async () => {
  await killed[Symbol.asyncDispose]();
  rmSync(killedFolder, { recursive: true, force: true });
});

/** Runs a function with a new copy of the killed daemon's folder. */
async function withKilled(use: (folder: string, trio: Trio) => Promise<void>): Promise<void> {
  const folder = killed.folder(0);
  rmSync(folder, { recursive: true });
  cpSync(killedFolder, folder, { recursive: true });
  await use(folder, killed);
}

/** Runs `dbsync log verify`. @param keys  the keys to verify with @param uid  the user, by default the current one */
function verify(folder: string, { app, root }: Keys, uid?: number): Promise<Verified> {
  const keys = ["--sign-key", app.file, "--root-key", root.file];
  const words = [programPaths.dbsync, "log", "verify", "--data", folder, ...keys, "--json"];
  const options = uid === undefined ? {} : { uid, gid: uid };
  return new Promise((resolve) => {
    execFile(process.execPath, words, { ...options, cwd: "/" }, (problem, stdout, stderr) => {
      const code = problem === null ? 0 : Number(problem.code);
      const report = stdout.startsWith("{") ? JSON.parse(stdout) : null;
      resolve({ code, report, text: stdout + stderr });
    });
  });
}

/** Returns the visible attributes and contents of all files in a folder, except access times. */
function stateOf(folder: string): Record<string, unknown> {
  const names = ["", ...readdirSync(folder, { recursive: true, encoding: "utf8" })].sort();
  return Object.fromEntries(
    names.map((name) => {
      const path = join(folder, name);
      const { mode, ino, size, mtimeMs, ctimeMs } = lstatSync(path);
      const isFile = lstatSync(path).isFile();
      const hash = isFile ? createHash("sha256").update(readFileSync(path)).digest("hex") : null;
      return [name, { mode, ino, size, mtimeMs, ctimeMs, hash }];
    }),
  );
}

async function withCopy(folder: string, use: (copy: string) => Promise<void>): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), "dbsync-verify-"));
  try {
    cpSync(folder, copy, { recursive: true });
    await use(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/**
 * Returns the number of each group in the log, and the position of its end. The file log-1 contains all groups of
 * this run.
 */
function groupsIn(bytes: Buffer): { readonly sequence: number; readonly end: number }[] {
  let end = 0;
  // Each record begins with the marker. The first record is at position 0.
  return [...readRecords(bytes, bytes.subarray(0, MARKER_BYTES))].map(({ sequence, operations }) => {
    end += recordBytes(operations);
    return { sequence, end };
  });
}

/** Returns the number of groups that are reported as missing. */
function lostIn({ report }: Verified): number {
  const damaged = report.faults.find(({ kind }) => kind === "damaged-log");
  return damaged === undefined ? 0 : Number(/, (\d+) groups? of writes$/.exec(damaged.where)?.[1]);
}

test("log verify does not change a killed daemon's folder, and returns the same result when it is repeated", () =>
  withKilled(async (folder, trio) => {
    const before = stateOf(folder);
    const first = await verify(folder, trio);
    assert.equal(first.code, 0, first.text);
    assert.deepEqual(first.report.untold, []);
    assert.equal(first.report.units.applied, KEYS + 10);
    assert.deepEqual((await verify(folder, trio)).report, first.report);
    assert.deepEqual(stateOf(folder), before);
    // The daemon computes the same state from the folder.
    await trio.start(0);
    await trio.end(0, "SIGTERM");
    assert.equal((await verify(folder, trio)).report.state, first.report.state);
  }));

test("log verify and a starting daemon report the groups that are missing at the end of a log, wherever it was cut", () =>
  withKilled(async (folder, trio) => {
    const seed = seedOfRun();
    process.stdout.write(`seed ${seed}\n`);
    const random = new SeededRandom(seed);

    const bytes = readFileSync(join(folder, LOG));
    const groups = groupsIn(bytes);

    const complete = await verify(folder, trio);
    const { group: last } = complete.report.seen;
    assert.equal(groups.at(-1)?.sequence, last);
    const moved = await movedIn(folder);
    assert.ok(moved < last, "LMDB already contains all groups");

    const ends = groups.filter(({ sequence }) => sequence >= moved).map(({ end }) => end);
    const others = Array.from({ length: CUTS_AT_RANDOM }, () => random.below(ends.at(-1) as number));
    const some = random.shuffled(ends.slice(0, -1)).slice(0, ENDS_AT_RANDOM);

    for (const cut of [0, ...some, ends.at(-1) as number, ...others]) {
      const remaining = groups.findLast(({ end }) => end <= cut)?.sequence ?? 0;
      await withCopy(folder, async (copy) => {
        const path = join(copy, LOG);
        if (random.below(2) === 0) truncateSync(path, cut);
        else writeFileSync(path, Buffer.from(bytes).fill(0, cut));

        const before = stateOf(copy);
        const found = await verify(copy, trio);
        const lost = last - Math.max(remaining, moved);

        assert.ok(found.report, found.text);
        assert.equal(lostIn(found), lost, `cut at ${cut}`);
        assert.equal(found.code, lost === 0 ? 0 : 1);
        if (cut === 0)
          assert.deepEqual((await verify(copy, trio)).report, found.report, "the second report is the same");
        assert.deepEqual(stateOf(copy), before);
      });
    }

    truncateSync(join(folder, LOG), 0);
    const daemon = await trio.start(0);
    const line = await daemon.logged(({ msg }) => /log is damaged: the last writes are incomplete/.test(msg));
    assert.equal(line["lost"], last - moved);
    assert.equal((await trio.status(0)).lostGroups, last - moved);
    await trio.end(0, "SIGTERM");
    assert.equal((await verify(folder, trio)).code, 0, "a reported loss is not reported again");
  }));

test("log verify works on a folder while its daemon writes, and does not disturb it", async () => {
  await using trio = await Trio.start([], 1);
  await using client = trio.client();
  let isDone = false;
  let written = 0;
  const writing = (async () => {
    while (!isDone) await Promise.all(Array.from({ length: 20 }, () => client.send(`SET k:${written++} 1`)));
  })();

  try {
    let before = 0;
    for (let run = 0; run < RUNS_MEANWHILE; run++) {
      await trio.until("the client writes more", async () => written > before + 200);
      const acknowledged = written - 20;
      const { code, report, text } = await verify(trio.folder(0), trio);
      assert.equal(code, 0, text);
      assert.equal(report.seen.process, trio.daemon(0).pid);
      assert.ok(report.units.applied >= acknowledged, `${report.units.applied} of ${acknowledged}`);
      before = written;
    }
  } finally {
    isDone = true;
    await writing;
  }

  const running = await verify(trio.folder(0), trio);
  assert.deepEqual([running.code, running.report.units.applied, running.report.seen.missed], [0, written, 0]);

  await trio.end(0, "SIGTERM");
  const stopped = await verify(trio.folder(0), trio);
  assert.deepEqual([stopped.code, stopped.report.state], [0, running.report.state]);
});

test(
  "another user verifies a folder that is read-only for this user",
  {
    skip: process.getuid?.() === 0 ? false : "only root can become another user",
  },
  () =>
    withKilled((folder, trio) =>
      withCopy(folder, async (copy) => {
        for (const name of readdirSync(copy, { recursive: true, encoding: "utf8" })) {
          const path = join(copy, name);
          chmodSync(path, lstatSync(path).isDirectory() ? 0o555 : 0o444);
        }
        chmodSync(copy, 0o555);

        const keys = { app: { file: join(copy, "app.pem") }, root: { file: join(copy, "root.pem") } };
        for (const name of ["app", "root"] as const)
          writeFileSync(keys[name].file, readFileSync(trio[name].file));

        const before = stateOf(copy);
        const ownResult = await verify(copy, keys);
        const others = await verify(copy, keys, NO_OBSERVER);
        assert.deepEqual([others.code, others.report], [0, ownResult.report], others.text);
        assert.deepEqual(stateOf(copy), before);

        chmodSync(join(copy, "timeline", "data.mdb"), 0o400);
        const refused = await verify(copy, keys, NO_OBSERVER);
        assert.equal(refused.code, 4);
        assert.match(refused.text, /cannot be read: EACCES/);

        chmodSync(copy, 0o700);
        const closed = await verify(copy, keys, NO_OBSERVER);
        assert.equal(closed.code, 4);
        assert.match(closed.text, /cannot be read: EACCES.* Check it as its daemon's user, or as root/);
      }),
    ),
);

test("log verify reports an empty page of data.mdb, and a starting daemon refuses the file with an explanation", () =>
  withKilled(async (folder, trio) => {
    await trio.start(0);
    await trio.end(0, "SIGTERM");

    const path = join(folder, "timeline", "data.mdb");
    const bytes = readFileSync(path);
    const pages = bytes.length / PAGE_BYTES;

    const seed = seedOfRun();
    process.stdout.write(`seed ${seed}\n`);
    const random = new SeededRandom(seed);

    let refused = 0;
    // The two meta pages, and some random pages.
    const others = random.shuffled(Array.from({ length: pages - 2 }, (_, i) => i + 2));
    for (const page of [0, 1, ...others.slice(0, PAGES_AT_RANDOM)]) {
      writeFileSync(path, Buffer.from(bytes).fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
      const before = stateOf(folder);
      const { code, text } = await verify(folder, trio);
      assert.deepEqual(stateOf(folder), before);
      if (code === 0) continue;
      assert.equal(code, 1, text);
      // A page in the middle of a long value contains no structure that could be checked.
      if (/"kind":"damaged"/.test(text)) continue;
      assert.match(text, /damaged-(file|page)/);
      if (page % 5 > 0 && refused > 0) continue;

      const start = await runDaemon(trio.argsOf(0));
      assert.equal(start.code, 1, `page ${page}: ${start.stderr}`);
      assert.match(start.stderr, /cannot be opened: .*data\.mdb is damaged/);
      refused++;
    }
    assert.ok(refused > 0);
  }));

/** Returns the number of the last group that the daemon wrote. */
const lastIn = (folder: string): number => groupsIn(readFileSync(join(folder, LOG))).at(-1)?.sequence ?? 0;

/** Returns the number of the last group that LMDB contains. */
async function movedIn(folder: string): Promise<number> {
  const reader = openReader(folder);
  try {
    return reader.logMark?.sequence ?? 0;
  } finally {
    await reader.close();
  }
}
