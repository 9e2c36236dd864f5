/**
 * Tests that `npm test -- WORD` selects files only by their paths in the repository, wherever the clone is, and leaves
 * no process running.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { buildRoot } from "./support/repository.js";
import { together } from "./support/together.js";
import { until } from "./support/until.js";

/** The variables of this process, without those that decide what a run of the tests does. */
const OUTER: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(NODE_TEST_CONTEXT|CI|DBSYNC_(INSTALL|FULL))$/.test(name),
  ),
);

/** Makes a repository with the programs that run the tests. @returns its folder, below `above`, and how to run them */
function makeRepository(above: string) {
  const folder = join(above, "system");
  mkdirSync(join(folder, "test/daemon/store"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "name": "dbsyncd", "type": "module" }');
  for (const file of ["run.js", "run-files.js"])
    cpSync(join(buildRoot, "test", file), join(folder, "test", file));
  cpSync(join(buildRoot, "test/support"), join(folder, "test/support"), { recursive: true });
  mkdirSync(join(folder, "test/libraries/npm"), { recursive: true });
  writeFileSync(join(folder, "test/libraries/npm/package.json"), '{ "dependencies": {} }');
  const run = (words: readonly string[], variables: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, [join(folder, "test/run.js"), ...words], {
      env: { ...OUTER, ...variables },
      encoding: "utf8",
    });
  return { folder, run };
}

test("a word in the name of a parent folder selects no test file, and a file that a test leaves is named", () => {
  const above = mkdtempSync(join(tmpdir(), "dbsync-above-"));
  const { folder, run } = makeRepository(above);
  writeFileSync(join(folder, "test/daemon/store/empty.test.js"), "");

  const byFolder = run(["system"]);
  assert.equal(byFolder.status, 2, byFolder.stdout);
  assert.match(byFolder.stderr, /No path of a test file contains system\./);

  const byFile = run(["daemon/store/"]);
  assert.equal(byFile.status, 0, byFile.stderr);
  writeFileSync(join(folder, "test/daemon/store/empty.test.js"), LEAVES_A_FILE_AND_FAILS_ONCE);
  const leaving = run(["daemon/store/"]);
  assert.equal(leaving.status, 0, leaving.stdout);
  assert.match(leaving.stderr, /^LEFT in the temporary folder, .*: left-behind\. /m);
  assert.match(leaving.stdout, /\nFLAKE empty\.test\.js > leaves, load \d+\n$/);
  rmSync(above, { recursive: true });
});

test("without the programs that the tests use, a run prints how to install them; in CI, it fails and runs no test", () => {
  const above = mkdtempSync(join(tmpdir(), "dbsync-above-"));
  const { folder, run } = makeRepository(above);
  writeFileSync(join(folder, "test/daemon/store/empty.test.js"), "");
  // Without apt-get, the run installs nothing, whichever user runs it.
  const developers = run(["daemon/store/"], { PATH: above });
  assert.equal(developers.status, 0, developers.stderr);
  assert.match(
    developers.stderr,
    /^Missing\. .*: sudo apt-get install --no-install-recommends redis-server .*\nThe tests .* are skipped\./,
  );
  assert.match(developers.stdout, /^Running the test files \(1\), .* Next: /m);

  const inCi = run(["daemon/store/"], { PATH: above, CI: "true" });
  assert.equal(inCi.status, 1, inCi.stdout);
  assert.match(inCi.stderr, /In CI, no test is skipped for this reason/);
  assert.doesNotMatch(inCi.stdout, /^Running/m);

  for (const name of ["apt-get", "sudo"])
    writeFileSync(join(above, name), "#!/bin/sh\nexit 100\n", { mode: 0o755 });
  const withoutNetwork = run(["daemon/store/"], { PATH: above, CI: "true" });
  assert.equal(withoutNetwork.status, 75, withoutNetwork.stdout);
  assert.doesNotMatch(withoutNetwork.stdout, /^Running/m);
  rmSync(above, { recursive: true });
});

const LEAVES_A_FILE_AND_FAILS_ONCE = `
  import { existsSync, writeFileSync } from "node:fs";
  import { tmpdir } from "node:os";
  import { test } from "node:test";
  test("leaves", () => {
    const file = tmpdir() + "/left-behind";
    if (existsSync(file)) return;
    writeFileSync(file, "");
    throw new Error("this once");
  });
`;

/** A test file that starts a child process, prints its id and hangs. */
const HANGING = `
  import { spawn } from "node:child_process";
  import { writeFileSync } from "node:fs";
  const child = spawn("sleep", ["1000"], { stdio: ["ignore", "ignore", "inherit"] });
  writeFileSync(process.env.PID_FILE, String(child.pid));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
`;

/** Milliseconds until the file is killed. A busy machine must have started it by then. */
const LIMIT = "10000";

interface RunResult {
  readonly status: number | null;
  readonly output: string;
  /** The lines for failures that did not repeat. */
  readonly flakes: readonly string[];
}

/** Runs test files with the given texts. @param isShared  whether they share a process */
async function runFiles(texts: readonly string[], { isShared = false } = {}): Promise<RunResult> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-failing-"));
  const files = texts.map((text, i) => {
    const file = join(folder, `file-${i}.test.mjs`);
    const mark = JSON.stringify(join(folder, `mark-${i}`));
    writeFileSync(
      file,
      `import { test } from "node:test"; import fs from "node:fs"; const mark = ${mark};\n${text}`,
    );
    return file;
  });

  const programs = isShared ? together(files, { folder, lanes: 1 }) : files;
  const args = [join(buildRoot, "test/run-files.js"), LIMIT, "2", ...programs];
  const runner = spawn(process.execPath, args, { env: OUTER, stdio: ["ignore", "pipe", "inherit", "ipc"] });
  let output = "";
  runner.stdout!.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  let flakes: readonly string[] = [];
  runner.on("message", (lines) => {
    flakes = lines as readonly string[];
  });
  const [[status]] = (await Promise.all([once(runner, "close"), once(runner, "disconnect")])) as [
    [number | null],
    unknown,
  ];
  rmSync(folder, { recursive: true });
  return { status, output, flakes };
}

const PASSES = 'test("passes", () => {});';
const FAILS = 'test("fails", () => { throw new Error("as ever"); });';
const CRASHES = 'console.error("the reason"); process.exit(3);';
const CRASHES_ONCE = `
  test("crashes", () => { if (!fs.existsSync(mark)) { fs.writeFileSync(mark, ""); process.exit(3); } });
`;
// The runner must not take the text of an error for a hang.
const FAILS_ONCE = `
  test("fails once", () => {
    if (fs.existsSync(mark)) return;
    fs.writeFileSync(mark, "");
    throw new Error("timeout, this once");
  });
`;
const HANGS_ONCE = `
  test("hangs once", () => {
    if (fs.existsSync(mark)) return;
    fs.writeFileSync(mark, "");
    return new Promise(() => void setInterval(() => {}, 1000));
  });
`;
/** An error after the end of the test that caused it. */
const STRAY = `
  test("ends", () => void setTimeout(() => { throw new Error("stray"); }, 100));
  test("waits", () => new Promise((end) => setTimeout(end, 500)));
`;
/** Fails in its first and its third run. */
const FAILS_TWICE = `
  test("fails twice", () => {
    fs.appendFileSync(mark, "+");
    if (fs.statSync(mark).size % 2 === 1) throw new Error("every second time");
  });
`;
const RUNS_TESTS_OF_ANOTHER_FILE = `
  const cases = new URL("cases.mjs", import.meta.url);
  fs.writeFileSync(cases, ${JSON.stringify(`
    import { test } from "node:test"; import fs from "node:fs";
    export function define(mark) { ${FAILS_ONCE} }
  `)});
  (await import(cases)).define(mark);
`;

test("a file that fails in the parallel run and passes alone is reported, and does not fail the run", async () => {
  const { status, output, flakes } = await runFiles([PASSES, FAILS_ONCE]);
  assert.equal(status, 0, output);
  assert.match(output, /Error: timeout, this once/);
  assert.match(output, /Running again, alone, 2 times each: file-1\.test\.mjs\n/);
  assert.match(output, /passed 2 times alone/);
  assert.match(flakes.join("\n"), /^FLAKE file-1\.test\.mjs > fails once, load \d+$/);
});

test("a file runs again alone that runs tests which another file defines", async () => {
  const { status, flakes } = await runFiles([PASSES, RUNS_TESTS_OF_ANOTHER_FILE]);
  assert.equal(status, 0);
  assert.match(
    flakes.join("\n"),
    /^FLAKE cases\.mjs > fails once, load \d+\nFLAKE file-1\.test\.mjs, load \d+$/,
  );
});

test("however many files fail once, the run passes", async () => {
  const { status, output, flakes } = await runFiles(Array<string>(5).fill(FAILS_ONCE));
  assert.equal(status, 0, output);
  assert.equal(flakes.length, 5);
});

test("a file that fails, passes and fails again fails the run", async () => {
  const { status, output, flakes } = await runFiles([FAILS_TWICE]);
  assert.equal(status, 1, output);
  assert.match(output, /\nFailed again, alone: file-0\.test\.mjs\n/);
  assert.deepEqual(flakes, []);
});

test("when a shared process crashes, its files run again one by one", async () => {
  const once = await runFiles([PASSES, CRASHES_ONCE], { isShared: true });
  assert.equal(once.status, 0, once.output);
  assert.match(once.output, /alone, 2 times each: file-0\.test\.mjs, file-1\.test\.mjs\n/);
  assert.match(once.flakes.join("\n"), /^FLAKE file-0\.test\.mjs, file-1\.test\.mjs, load \d+$/);
  const always = await runFiles([PASSES, `${PASSES} ${CRASHES}`, FAILS], { isShared: true });
  assert.equal(always.status, 1, always.output);
  assert.match(always.output, /\nFailed again, alone: file-1\.test\.mjs, file-2\.test\.mjs\n/);
  assert.match(always.output, /^✖ file-1\.test\.mjs\n.*\(exit code 3\)\n {2}the reason\n/m);
});

test("files of a shared process run again that a crash or an error of no test conceals", async () => {
  const crashes = `test("crashes", async () => { await new Promise((end) => setTimeout(end, 500)); ${CRASHES} });`;
  const { status, output } = await runFiles([FAILS_ONCE, crashes, FAILS], { isShared: true });
  assert.equal(status, 1, output);
  assert.match(output, /\nFailed again, alone: file-1\.test\.mjs, file-2\.test\.mjs\n/);
  assert.match(output, /^✖ together-1\.mjs\n.*\(exit code 3\)/m);
  const stray = await runFiles([FAILS_ONCE, STRAY], { isShared: true });
  assert.equal(stray.status, 1, stray.output);
  assert.match(stray.output, /\nFailed again, alone: file-1\.test\.mjs\n/);
});

for (const isShared of [false, true])
  test(`a failure counts that the exit code does not show, with a process that is ${isShared ? "shared" : "not shared"}`, async () => {
    const inHook = 'import { after } from "node:test"; after(() => { throw new Error("in a hook"); });';
    const hidden = 'process.on("exit", () => { process.exitCode = 0; });';
    for (const text of [`${PASSES} ${inHook}`, `${FAILS} ${hidden}`]) {
      const { status, output } = await runFiles([PASSES, text], { isShared });
      assert.equal(status, 1, output);
      assert.match(output, /\nFailed again, alone: file-1\.test\.mjs\n/);
    }
  });

test("files that share a process run their tests when all files are loaded", async () => {
  const loads = "await new Promise((loaded) => setTimeout(loaded, 50));";
  const early = `${loads} test("uses a later constant", () => void LATER); const LATER = 1;`;
  const { status, output } = await runFiles([PASSES, early], { isShared: true });
  assert.equal(status, 0, output);
  assert.doesNotMatch(output, /LATER/);
});

test("files that share a process have their own hooks, and a failure names its file, which runs again alone", async () => {
  const hooks =
    'import { beforeEach, before } from "node:test"; let runs = 0; beforeEach(async () => void runs++);';
  const counts = (before: number) =>
    `${hooks} before(async () => void (runs = ${before})); test("counts", () => { if (runs !== ${before + 1}) throw new Error(String(runs)); });`;
  const { status, output } = await runFiles([counts(3), FAILS_ONCE, counts(5)], { isShared: true });
  assert.equal(status, 0, output);
  assert.match(output, /^✔ counts \(/m, "as in a file of its own");
  assert.match(output, /^✖ file-1\.test\.mjs > fails once\n {2}Error: timeout, this once\n/m);
  assert.match(output, /Running again, alone, 2 times each: file-1\.test\.mjs\n/);
  const unreadable = await runFiles([PASSES, 'throw new Error("at its start");'], { isShared: true });
  assert.equal(unreadable.status, 1, unreadable.output);
  assert.match(unreadable.output, /^✖ file-1\.test\.mjs\n.*at its start/m);
});

/** Node 24 ends a test that takes too long, but not a file that the test keeps alive: run-files.ts ends the run. */
const skipOnNode24 = Number.parseInt(process.versions.node, 10) >= 24 && "Node 24 ends no file that hangs";

describe("a file that hangs", { concurrency: true }, () => {
  test("is killed with the processes that it started", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dbsync-hanging-"));
    const [file, pidFile] = [join(folder, "hanging.test.mjs"), join(folder, "pid")];
    writeFileSync(file, HANGING);
    const runner = spawn(process.execPath, [join(buildRoot, "test/run-files.js"), LIMIT, "1", file], {
      env: { ...OUTER, PID_FILE: pidFile },
      detached: true,
      stdio: "ignore",
    });
    const [code] = await once(runner, "exit");
    assert.equal(code, 1);
    const pid = Number(readFileSync(pidFile, "utf8"));
    assert.doesNotThrow(() => process.kill(pid, 0), "the child still runs");
    process.kill(-runner.pid!, "SIGKILL");
    await until("the child has ended", () => !isAlive(pid));
    rmSync(folder, { recursive: true });
  });

  test("is reported with the tests that have not ended", { skip: skipOnNode24 }, async () => {
    const hangs = 'test("never ends", () => new Promise(() => void setInterval(() => {}, 1000)));';
    const [{ status, output }, keepsAlive] = await Promise.all([
      runFiles([`${PASSES} ${hangs}`, PASSES]),
      runFiles([`${PASSES} setInterval(() => {}, 1000);`]),
    ]);
    assert.equal(status, 1, output);
    assert.match(output, /\nThese tests have not ended:\n {2}file-0\.test\.mjs > never ends\n/);
    assert.match(keepsAlive.output, /All tests have ended: something .* keeps the process alive/);
    const inTime = await runFiles([
      'test("takes too long", { timeout: 100 }, () => new Promise((end) => setTimeout(end, 500)));',
    ]);
    assert.match(inTime.output, /takes too long/);
    assert.doesNotMatch(inTime.output, /have (?:not )?ended/);
  });

  test("runs again, alone", { skip: skipOnNode24 }, async () => {
    const { status, output, flakes } = await runFiles([HANGS_ONCE, PASSES]);
    assert.equal(status, 0, output);
    assert.match(flakes.join("\n"), /^FLAKE file-0\.test\.mjs, load \d+$/);
  });
});

test("a file that fails twice fails the run", async () => {
  const twice = await runFiles([`${PASSES} console.error("a warning");`, FAILS, FAILS_ONCE, CRASHES]);
  assert.equal(twice.status, 1, twice.output);
  assert.doesNotMatch(twice.output, /race/);
  for (const text of ["Error: as ever", "a warning", "the reason"])
    assert.equal(twice.output.split(text).length, 2, `${text} is printed once: ${twice.output}`);
  assert.match(twice.output, /^✖ file-3\.test\.mjs\n {2}.* \(exit code 3\)\n {2}the reason\n/m);
  assert.match(
    twice.output,
    /^✖ file-1\.test\.mjs > fails\n {2}Error: as ever\n {6}at .*file-1\.test\.mjs:2:/m,
  );
  const many = await runFiles([FAILS, FAILS, FAILS, FAILS]);
  assert.equal(many.status, 1, many.output);
  assert.match(many.output, /\nFailed again, alone: (file-\d\.test\.mjs(, )?){3}\n/);
});

test("files that share a process are listed by their own names", async () => {
  const { status, output } = await runFiles([PASSES, PASSES], { isShared: true });
  assert.equal(status, 0, output);
  assert.match(output, /The longest files:\n.* s file-\d\.test\.mjs\n.* s file-\d\.test\.mjs\n$/);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
