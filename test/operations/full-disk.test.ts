/**
 * Tests subcommands that cannot write their files. They print one sentence with the failure, its cause and a remedy,
 * and leave no file that looks complete.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DeadLetterStore } from "../../daemon/cluster/dead-letters/dead-letter-store.js";
import { hashOf } from "../../daemon/engine/trust/identity.js";
import { writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { writeValue } from "../../daemon/timeline/entries/stored-value.js";
import { unwritable } from "../../keys/atomic-file.js";
import { bulk, type Reply } from "../../protocol/reply.js";
import { readBody, signedBytes } from "../../protocol/version-2/envelope.js";
import { ServedDaemon } from "../client/served-daemon.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair, signCommands } from "../support/envelope-client.js";
import { programPaths } from "../support/programs.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { type Cluster, startCluster } from "../tools/cli/cluster.js";

/** The maximum file size of the process in bytes. The programs handle EFBIG like ENOSPC. */
const FILE_BYTES = 16_384;

const folder = mkdtempSync(join(tmpdir(), "dbsync-full-"));
let cluster: Cluster;
let daemon: DaemonProcess;

const at = (name: string) => join(cluster.folder, name);
const keys = () => ["--sign-key", at("app-public.pem"), "--root-key", at("root-public.pem")];

const lettersAt = () => at("letters");

/** Creates a folder with dead letters whose total size exceeds the maximum file size. */
async function makeDeadLetters(): Promise<void> {
  const writer = new DeadLetterStore(lettersAt(), 1e6).open(Date.now());
  for (const index of [1, 2, 3]) {
    const { body, signature } = signCommands(makeKeyPair(), [["SET", `k${index}`, "x".repeat(FILE_BYTES)]], {
      at: Date.now(),
      cluster: "c".repeat(32),
    });
    const { at: date, seq } = readBody(body);
    const path = { at: date, seq, id: hashOf(Buffer.from(signedBytes(body))) };
    writer.store(writeOrderKey(path), writeValue(body, signature), "missing");
  }
  await writer.commit();
  writer.settle();
}

before(async () => {
  cluster = await startCluster(1);
  daemon = await startDaemon([...keys(), "--data", at("data")]);
  const server = ["-s", `127.0.0.1:${daemon.port}`, "-k", at("app.pem")];
  for (const index of [1, 2, 3])
    assert.equal((await cluster.run(["send", ...server, "SET", `k${index}`, "x".repeat(20_000)])).code, 0);
  const long = `insert into t values ('${"x".repeat(20_000)}')`;
  for (const words of [
    ["", "create database shop"],
    ["shop", "create table t (a text)"],
    ["shop", long],
  ])
    assert.equal((await cluster.run(["send", ...server, "SQL", ...words])).code, 0);
  assert.equal((await cluster.run(["backup", "--data", at("data"), at("whole.dbsync")])).code, 0);
  await makeDeadLetters();
});
after(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** The arguments of each subcommand. They contain the path to write, which the error must name. */
const WRITING: Readonly<Record<string, (path: string) => readonly string[]>> = {
  restore: (path) => ["restore", at("whole.dbsync"), "--data", path],
  backup: (path) => ["backup", "--data", at("data"), path],
  "export sql": (path) => ["export", `sql:${path}`, "-s", `127.0.0.1:${daemon.port}`, "-k", at("root.pem")],
  "export resp": (path) => ["export", `resp:${path}`, "-s", `127.0.0.1:${daemon.port}`, "-k", at("root.pem")],
};

const SENTENCE =
  /^dbsync: (--data )?\S+ cannot be written \((E[A-Z]+): [^)]+\)\. The partial file was removed\. Free space there, or choose another path[^\n]*\n$/;

const LETTERS_SENTENCE =
  /^dbsync: \S+ cannot be written \(EFBIG: [^)]+\)\. It was not changed\. Free space there, and run the same command again\n$/;

const dbsync = [process.execPath, programPaths.dbsync] as const;

for (const [name, words] of Object.entries(WRITING)) {
  test(`${name} onto a full disk fails with one sentence`, { skip: skipWithout("prlimit") }, () => {
    const path = join(folder, name.replace(" ", "."));
    const limited = [`--fsize=${FILE_BYTES}`, ...dbsync, ...words(path)];
    const { status, stderr } = spawnSync("prlimit", limited, { encoding: "utf8", cwd: folder });
    assert.equal(status, 1, stderr);
    assert.match(stderr, SENTENCE);
    assert.ok(stderr.includes(path), stderr);
    assert.deepEqual(readdirSync(folder), []);
  });
}

test("export sql fails with one sentence if only the last byte of a table does not fit", {
  skip: skipWithout("prlimit"),
}, () => {
  const exporting = (path: string) => (WRITING["export sql"] as (path: string) => readonly string[])(path);
  const completeFile = join(folder, "whole");
  const [program = "", ...before] = dbsync;
  assert.equal(spawnSync(program, [...before, ...exporting(completeFile)]).status, 0);
  const table = readdirSync(completeFile, { recursive: true, encoding: "utf8" }).find((path) =>
    path.includes("tables/t"),
  );
  const { size } = statSync(join(completeFile, table ?? ""));
  rmSync(completeFile, { recursive: true });
  const limited = [`--fsize=${size - 1}`, ...dbsync, ...exporting(join(folder, "short"))];
  const { status, stderr } = spawnSync("prlimit", limited, { encoding: "utf8", cwd: folder });
  assert.equal(status, 1, stderr);
  assert.match(stderr, SENTENCE);
  assert.deepEqual(readdirSync(folder), []);
});

for (const target of ["resp:-", "json:-"])
  test(`export ${target} to a full standard output fails with one sentence`, {
    skip: !existsSync("/dev/full"),
  }, () => {
    const full = openSync("/dev/full", "w");
    const [program = "", ...before] = dbsync;
    const words = ["export", target, "-s", `127.0.0.1:${daemon.port}`, "-k", at("root.pem")];
    const stdio = ["ignore", full, "pipe"] as const;
    const { status, stderr } = spawnSync(program, [...before, ...words], {
      encoding: "utf8",
      stdio: [...stdio],
    });
    closeSync(full);
    assert.equal(status, 1, stderr);
    assert.match(
      stderr,
      /^dbsync: cannot write to standard output \(ENOSPC: [^)]+\); the output is incomplete\n/m,
    );
    assert.doesNotMatch(stderr, /\n +at /);
  });

/** Returns the files in the folder of dead letters. */
const letterFiles = () => readdirSync(join(lettersAt(), "dead-letters"));

test("dead-letters remove reports a full disk, and removes no dead letter", {
  skip: skipWithout("prlimit"),
}, () => {
  const list = (...limits: string[]) => {
    const [program = "", ...words] = [
      ...limits,
      ...dbsync,
      "dead-letters",
      "list",
      "--json",
      "--data",
      lettersAt(),
    ];
    return spawnSync(program, words, { encoding: "utf8" });
  };

  const before = { told: list().stdout, files: letterFiles() };
  const ids = before.told.trimEnd().split("\n");
  assert.equal(ids.length, 3);

  const { id } = JSON.parse(ids[0] ?? "") as { readonly id: string };
  const words = [...dbsync, "dead-letters", "remove", id, "--data", lettersAt()];
  const { status, stdout, stderr } = spawnSync("prlimit", [`--fsize=${FILE_BYTES}`, ...words], {
    encoding: "utf8",
  });

  assert.equal(status, 1, stderr);
  assert.match(stderr, LETTERS_SENTENCE);
  assert.equal(stdout, "");
  assert.deepEqual({ told: list().stdout, files: letterFiles() }, before);
});

test("dead-letters find reports a full disk, and creates no dead letter", {
  skip: skipWithout("prlimit"),
}, async () => {
  // The sender of the reply is a member that has no entry of the folder.
  const reply = ([, , , ...places]: readonly string[]): Reply => ({
    kind: "array",
    items: places.map(() => bulk("dead-letter")),
  });
  await using member = await ServedDaemon.start({ reply });

  const words = [...dbsync, "dead-letters", "find", "--data", at("data")];
  const args = [...words, "-s", member.address, "-k", at("root.pem")];
  const { code, stdout, stderr } = await run("prlimit", [`--fsize=${FILE_BYTES}`, ...args]);
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /^dbsync: \S+dead-letters cannot be written \(EFBIG: [^)]+\)\. No dead letter was written\. Free space there, and run the same command again\n$/,
  );
  assert.equal(stdout, "");
  assert.deepEqual(readdirSync(join(at("data"), "dead-letters")), []);

  // With enough space, the command succeeds.
  const found = await run(args[0] ?? "", args.slice(1));
  assert.match(found.stdout, /^[1-9]\d* new dead letters/, found.stderr);
});

/** Mounts a file system with space for these files only, which requires root. @returns whether this succeeded */
function mountFull(path: string, files: string): boolean {
  mkdirSync(path);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", path]).status !== 0) return false;
  cpSync(files, path, { recursive: true });
  const isFull = (name: string, bytes: number): boolean => {
    try {
      appendFileSync(join(path, name), "x".repeat(bytes));
      return false;
    } catch {
      return true;
    }
  };
  for (let blocks = 0; !isFull("filler", 4096); blocks++)
    assert.ok(blocks < 256, "1 MiB never fills the disk");
  // The file system has no free inode either, so not even an empty file can be created.
  const remount = ["-o", `remount,nr_inodes=${statfsSync(path).files - statfsSync(path).ffree}`, path];
  return spawnSync("mount", remount).status === 0;
}

test("dead-letters write-again reports a full disk, and sends no dead letter", async (context) => {
  await using member = await ServedDaemon.start();
  const disk = at("disk");
  try {
    if (!mountFull(disk, lettersAt())) return context.skip("this user cannot mount a small disk");
    const writeAgain = () => {
      const words = ["dead-letters", "write-again", "--all", "--data", disk];
      return cluster.run([...words, "-s", member.address, "-k", at("app.pem")]);
    };
    const { code, stdout, stderr } = await writeAgain();
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /^dbsync: \S+written\S* cannot be written \(ENOSPC: [^)]+\)\. The dead letter was not sent\. Free space there, and run the same command again\n$/,
    );
    assert.equal(stdout, "");
    assert.deepEqual(member.envelopes, []);
    assert.equal(spawnSync("mount", ["-o", "remount,size=2m,nr_inodes=100", disk]).status, 0);
    const again = await writeAgain();
    assert.equal(again.code, 0, again.stdout + again.stderr);
    assert.equal(member.envelopes.length, 3);
  } finally {
    spawnSync("umount", [disk]);
  }
});

for (const name of ["backup", "export resp"])
  test(`${name} into a missing folder names the folder`, () => {
    const path = join(folder, "nowhere", "file");
    const [program, ...before] = dbsync;
    const args = (WRITING[name] as (path: string) => readonly string[])(path);
    const { status, stderr } = spawnSync(program, [...before, ...args], { encoding: "utf8" });
    assert.equal(status, 1, stderr);
    assert.match(stderr, SENTENCE);
    assert.ok(stderr.includes("ENOENT: its folder does not exist"), stderr);
  });

test("dbsync-keygen reports why it cannot write a key or a secret", () => {
  const isFile = join(at("whole.dbsync"), "keys");
  for (const words of [
    ["--out", isFile],
    ["--cluster-secret", join(isFile, "secret")],
  ]) {
    const program = [programPaths["dbsync-keygen"], ...words];
    const { status, stderr } = spawnSync(process.execPath, program, { encoding: "utf8" });
    assert.notEqual(status, 0);
    assert.match(
      stderr,
      /cannot be written \(ENOTDIR: [^)]*\)\. Free space there, or (use --out to choose a|choose an existing) folder/,
    );
  }
});

test("each write error has a sentence, even as the cause of another error; other errors have none", () => {
  for (const code of ["ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO"]) {
    const problem = Object.assign(new Error(code), { code });
    assert.match(
      unwritable("f", new Error("outer", { cause: problem })) ?? "",
      new RegExp(`^f cannot be written \\(${code}: .*\\)`),
    );
  }
  assert.equal(unwritable("f", new Error("no")), null);
  assert.equal(unwritable("f", null), null);
});
