/** Subcommands that write files, where the system does not let them: one sentence that says what, why and what to do, and nothing that looks complete. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { unwritable } from "../../keys/unwritable.js";
import { type Cluster, startCluster } from "../client/cli/cluster.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { programPaths } from "../support/programs.js";
import { skipWithout } from "../support/requirements.js";

/** The process may write no longer file: EFBIG, the same path through the programs as ENOSPC. */
const FILE_BYTES = 16_384;

const folder = mkdtempSync(join(tmpdir(), "dbsync-full-"));
let cluster: Cluster;
let daemon: DaemonProcess;

const at = (name: string) => join(cluster.folder, name);
const keys = () => ["--sign-key", at("app-public.pem"), "--root-key", at("root-public.pem")];

before(async () => {
  cluster = await startCluster(1);
  daemon = await startDaemon([...keys(), "--data", at("data")]);
  const server = ["-s", `127.0.0.1:${daemon.port}`, "-k", at("app.pem")];
  for (const index of [1, 2, 3])
    assert.equal((await cluster.run(["send", ...server, "SET", `k${index}`, "x".repeat(20_000)])).code, 0);
  assert.equal((await cluster.run(["backup", "--data", at("data"), at("whole.dbsync")])).code, 0);
});
after(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Each with the place that it is to write, which is named in its sentence. */
const WRITING: Readonly<Record<string, (place: string) => readonly string[]>> = {
  restore: (place) => ["restore", at("whole.dbsync"), "--data", place],
  backup: (place) => ["backup", "--data", at("data"), place],
  "export resp": (place) => [
    "export",
    `resp:${place}`,
    "-s",
    `127.0.0.1:${daemon.port}`,
    "-k",
    at("root.pem"),
  ],
};

const SENTENCE =
  /^dbsync: (--data )?\S+ cannot be written \((E[A-Z]+): [^)]+\)\. Nothing of it was left\. Make room there, or name another place[^\n]*\n$/;

const dbsync = [process.execPath, programPaths.dbsync] as const;

for (const [name, words] of Object.entries(WRITING)) {
  test(`${name} onto a disk without room`, { skip: skipWithout("prlimit") }, () => {
    const place = join(folder, name.replace(" ", "."));
    const limited = [`--fsize=${FILE_BYTES}`, ...dbsync, ...words(place)];
    const { status, stderr } = spawnSync("prlimit", limited, { encoding: "utf8", cwd: folder });
    assert.equal(status, 1, stderr);
    assert.match(stderr, SENTENCE);
    assert.ok(stderr.includes(place), stderr);
    assert.deepEqual(readdirSync(folder), []);
  });
}

for (const name of ["backup", "export resp"])
  test(`${name} into a folder that is not there`, () => {
    const place = join(folder, "nowhere", "file");
    const [program, ...before] = dbsync;
    const given = (WRITING[name] as (place: string) => readonly string[])(place);
    const { status, stderr } = spawnSync(program, [...before, ...given], { encoding: "utf8" });
    assert.equal(status, 1, stderr);
    assert.match(stderr, SENTENCE);
    assert.ok(stderr.includes("ENOENT: the folder that it would be in is not there"), stderr);
  });

test("keys and secrets say why they cannot be written", () => {
  const isFile = join(at("whole.dbsync"), "keys");
  for (const words of [
    ["--out", isFile],
    ["--cluster-secret", join(isFile, "secret")],
  ]) {
    const program = [programPaths["dbsync-keygen"], ...words];
    const { status, stderr } = spawnSync(process.execPath, program, { encoding: "utf8" });
    assert.notEqual(status, 0);
    assert.match(stderr, /cannot be written \(ENOTDIR: [^)]*\)\. Make room there, or choose a folder/);
  }
});

test("each reason has its sentence, also as the cause of another error; others have none", () => {
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
