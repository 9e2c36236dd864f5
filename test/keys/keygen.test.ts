/** Tests the program `dbsync-keygen`. Most runs are in this process, except in full runs of the tests. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadPrivateKey, loadPublicKey } from "../../keys/key-file.js";
import { keygen } from "../../keys/keygen-command.js";
import { isFull, skipUnlessFull, some } from "../support/amount.js";
import { programPaths } from "../support/programs.js";
import { temporaryFolder } from "./openssl.js";

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const PROGRAM = programPaths["dbsync-keygen"];

/** Ends a program that never returns. */
const LIMIT = { timeout: 120_000, killSignal: "SIGKILL" } as const;

/** Runs the program as a user does. */
function runProcess(folder: string, ...argv: string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...argv], { cwd: folder, ...LIMIT }, (error, stdout, stderr) => {
      resolve({
        code: error === null ? 0 : typeof error.code === "number" ? error.code : -1,
        stdout,
        stderr,
      });
    });
  });
}

/** Runs the program's code in this process, except in full runs, since a process costs more than most runs. */
async function run(folder: string, ...argv: string[]): Promise<Run> {
  if (isFull) return await runProcess(folder, ...argv);
  const texts = { stdout: "", stderr: "" };
  const streamOf = (name: keyof typeof texts) => ({ write: (text: string) => (texts[name] += text) });
  const before = process.cwd();
  process.chdir(folder);
  try {
    const code = await keygen(argv, { stdout: streamOf("stdout"), stderr: streamOf("stderr") });
    return { code, ...texts };
  } finally {
    process.chdir(before);
  }
}

test("dbsync-keygen makes a pair that loads, and prints the files and the next steps", async () => {
  using folder = temporaryFolder();
  const { code, stdout, stderr } = await runProcess(folder.path);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");

  const loaded = loadPrivateKey({ file: join(folder.path, "private.pem") });
  assert.deepEqual(loaded.warnings, []);
  assert.equal(loadPublicKey({ file: join(folder.path, "public.pem") }).fingerprint, loaded.fingerprint);

  for (const part of [
    "private.pem",
    "public.pem",
    "2048",
    loaded.fingerprint,
    "dbsyncd -s public.pem",
    "-k private.pem",
  ]) {
    assert.ok(stdout.includes(part), part);
  }

  assert.equal(statSync(join(folder.path, "private.pem")).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder.path), ["private.pem", "public.pem"]);
});

test("dbsync-keygen prints the next steps for an application's key, or for an administrator's named root", async () => {
  using folder = temporaryFolder();
  const nextOf = async (...args: string[]) =>
    (await run(folder.path, ...args)).stdout.split("\nNext, as ")[1];

  for (const name of ["root", "next-root"])
    assert.equal(
      await nextOf("--name", name),
      `an administrator's key:
  each daemon   dbsyncd --root-key ${name}-public.pem
  a client      dbsync send -k ${name}-private.pem PING
  another key   dbsync keys add public.pem -k ${name}-private.pem
`,
    );

  writeFileSync(join(folder.path, "pass.txt"), "correct horse", { mode: 0o600 });
  assert.match((await nextOf("--name", "webroot", "--type", "ed25519")) ?? "", /^an application's key /);
  assert.equal(
    await nextOf("--name", "roots", "--type", "ed25519", "--passphrase-file", "pass.txt"),
    `an application's key (for an administrator's key, use --name root):
  each daemon   dbsyncd -s roots-public.pem
  or, once      dbsync keys add roots-public.pem -k root-private.pem
  a client      dbsync send -k roots-private.pem --passphrase-file pass.txt PING
`,
  );
});

test("dbsync-keygen --type ed25519 makes an Ed25519 pair, encrypted with --passphrase-file", async () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "pass.txt"), "correct horse", { mode: 0o600 });
  const made = await run(folder.path, "--type", "ed25519", "--passphrase-file", "pass.txt");
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /type +ed25519 \(version 2 only\)/);
  assert.doesNotMatch(made.stdout, /bits/);
  const file = join(folder.path, "private.pem");
  const kinds = ["ed25519"] as const;
  const loaded = loadPrivateKey({ file }, { kinds, passphrase: "correct horse" });
  const { fingerprint } = loadPublicKey({ file: join(folder.path, "public.pem") }, { kinds });
  assert.equal(fingerprint, loaded.fingerprint);
  assert.ok(made.stdout.includes(fingerprint));
});

test("dbsync-keygen overwrites only with --force", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "public.pem");
  writeFileSync(file, "mine");
  const refused = await runProcess(folder.path);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /public\.pem.*--force/);
  assert.doesNotMatch(refused.stderr, /private\.pem/);
  assert.equal(readFileSync(file, "utf8"), "mine");
  assert.deepEqual(readdirSync(folder.path), ["public.pem"]);
  const forced = await run(folder.path, "--force");
  assert.equal(forced.code, 0, forced.stderr);
  const { fingerprint } = loadPublicKey({ file });
  assert.equal(loadPrivateKey({ file: join(folder.path, "private.pem") }).fingerprint, fingerprint);
});

test("three concurrent runs of dbsync-keygen make one pair", async () => {
  using folder = temporaryFolder();
  const runs = await Promise.all(Array.from({ length: 3 }, () => runProcess(folder.path)));
  assert.deepEqual(runs.map(({ code }) => code).sort(), [0, 1, 1]);
  const { fingerprint } = loadPrivateKey({ file: join(folder.path, "private.pem") });
  assert.equal(loadPublicKey({ file: join(folder.path, "public.pem") }).fingerprint, fingerprint);
  assert.ok(runs.find(({ code }) => code === 0)?.stdout.includes(fingerprint));
  assert.equal(readdirSync(folder.path).length, 2);
});

test("dbsync-keygen makes the folder of --out and names the files after --name", async () => {
  using folder = temporaryFolder();
  const { code, stdout } = await run(folder.path, "--out", "my keys/new", "--name", "web 1");
  assert.equal(code, 0);
  assert.deepEqual(readdirSync(join(folder.path, "my keys/new")), ["web 1-private.pem", "web 1-public.pem"]);
  assert.ok(stdout.includes("dbsyncd -s 'my keys/new/web 1-public.pem'"));
});

test("dbsync-keygen encrypts with the first line of a file, and warns if other users can read the file", async () => {
  using folder = temporaryFolder();
  const passphraseFile = join(folder.path, "pass.txt");
  writeFileSync(passphraseFile, "déjà vu \r\nsecond line\n", { mode: 0o600 });
  const quiet = await run(folder.path, "--passphrase-file", "pass.txt");
  assert.equal(quiet.code, 0, quiet.stderr);
  assert.equal(quiet.stderr, "");
  assert.match(quiet.stdout, /encrypted/);
  const file = join(folder.path, "private.pem");
  loadPrivateKey({ file }, { passphrase: "déjà vu " });
  assert.throws(() => loadPrivateKey({ file }), { code: "passphrase-missing" });
  chmodSync(passphraseFile, 0o644);
  const warned = await run(folder.path, "--type", "ed25519", "--passphrase-file", "pass.txt", "--force");
  assert.equal(warned.code, 0);
  assert.match(warned.stderr, /warning: pass\.txt can be read by every user.*chmod 600 pass\.txt/);
});

test("dbsync-keygen refuses passphrase files that would make a useless key", async () => {
  using folder = temporaryFolder();
  const cases = { "empty.txt": "\nsecond", "none.txt": "", "long.txt": "x".repeat(1025) };
  for (const [name, text] of Object.entries(cases)) {
    writeFileSync(join(folder.path, name), text, { mode: 0o600 });
    const { code, stderr } = await run(folder.path, "--passphrase-file", name);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(name));
  }
  const absent = await run(folder.path, "--passphrase-file", "absent.txt");
  assert.equal(absent.code, 1);
  assert.match(absent.stderr, /absent\.txt does not exist/);
  assert.ok(!existsSync(join(folder.path, "private.pem")));
});

test("dbsync-keygen names the wrong option, and exits with 2", async () => {
  using folder = temporaryFolder();
  const cases: readonly (readonly [RegExp, ...string[]])[] = [
    [/unknown option '--bit'.*\n.*--bits/, "--bit", "2048"],
    [/--bits.*1024.*2048, 3072, 4096/, "--bits", "1024"],
    [/--type.*dsa.*rsa, ed25519/, "--type", "dsa"],
    [/'--bits' is for RSA keys/, "--type", "ed25519", "--bits", "2048"],
    [/--name.*\.\.\/x/, "--name", "../x"],
    [/--name/, "--name", ".hidden"],
    [/--name/, "--name", ""],
    [/too many arguments: "keys"\. .* only options, such as --out keys\.\nRun /, "keys"],
    [/too many arguments: "version"\. .*\n\(Did you mean --version\?\)\nRun /, "version"],
    [/\(Did you mean --certificate\?\)/, "certificate", "--san", "localhost"],
    [/--out/, "--out"],
  ];
  for (const [says, ...argv] of some(cases, 4)) {
    const { code, stdout, stderr } = await run(folder.path, ...argv);
    assert.equal(code, 2, argv.join(" "));
    assert.match(stderr, says);
    assert.match(stderr, /^dbsync-keygen: /);
    assert.equal(stdout, "");
  }
  assert.deepEqual(readdirSync(folder.path), []);
});

test("dbsync-keygen names a path that it cannot write, and exits with 1", async () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "file"), "");
  const { code, stderr } = await run(folder.path, "--out", "file/below");
  assert.equal(code, 1);
  assert.match(stderr, /^dbsync-keygen: file\/below cannot be written/);
});

test("dbsync-keygen names a folder in /proc that it cannot create", {
  skip: process.platform !== "linux",
}, async () => {
  using folder = temporaryFolder();
  const { code, stderr } = await run(folder.path, "--out", "/proc/dbsync/keys");
  assert.equal(code, 1);
  assert.match(stderr, /^dbsync-keygen: \/proc\/dbsync\/keys cannot be written \(ENOENT: /);
});

test("dbsync-keygen --help has examples, exit codes and the reason for the default", async () => {
  using folder = temporaryFolder();
  const { code, stdout } = await run(folder.path, "--help");
  assert.equal(code, 0);
  for (const part of ["--passphrase-file", "Examples:", "Exit codes:", "2048 is the default because"]) {
    assert.ok(stdout.includes(part), part);
  }
  assert.ok(stdout.split("\n").every((line) => line.length <= 80));
});

test("dbsync-keygen prints on a terminal, and only there, that a large key takes a while", {
  skip: skipUnlessFull,
}, async () => {
  using folder = temporaryFolder();
  for (const isTTY of [true, false]) {
    let notes = "";
    let output = "";
    const stdout = { write: (text: string) => (output += text) };
    const stderr = { write: (text: string) => (notes += text), isTTY };
    const name = isTTY ? "terminal" : "pipe";
    assert.equal(
      await keygen(["--bits", "3072", "--out", folder.path, "--name", name], { stdout, stderr }),
      0,
    );
    assert.match(output, /fingerprint/);
    if (isTTY) assert.match(notes, /3072 bits/);
    else assert.equal(notes, "");
  }
});
