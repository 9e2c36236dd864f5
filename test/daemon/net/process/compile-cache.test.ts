import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import module from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { cacheFolder } from "../../../../daemon/net/process/compile-cache.js";
import { programPaths } from "../../../support/programs.js";
import { run } from "../../../support/run-program.js";
import { ScratchFolder } from "../../../support/scratch-folder.js";

test("compiled code is in the user's folder for caches, which only the user can read", () => {
  using scratch = new ScratchFolder();
  const folder = join(scratch.path, "dbsync");
  assert.equal(cacheFolder({ XDG_CACHE_HOME: scratch.path }), folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(cacheFolder({ XDG_CACHE_HOME: scratch.path }), folder, "when it exists");
});

test("compiled code of a service is in the folder that systemd made", () => {
  using scratch = new ScratchFolder();
  assert.equal(cacheFolder({ CACHE_DIRECTORY: scratch.path, XDG_CACHE_HOME: "/nowhere" }), scratch.path);
});

test("a folder that another user can change is not used, because V8 executes what is in it", (t) => {
  using scratch = new ScratchFolder();
  const variables = { XDG_CACHE_HOME: scratch.path };
  chmodSync(scratch.path, 0o777);
  assert.equal(cacheFolder(variables), null, "others could replace the folder");
  assert.ok(!existsSync(join(scratch.path, "dbsync")));
  chmodSync(scratch.path, 0o700);
  mkdirSync(join(scratch.path, "dbsync"));
  chmodSync(join(scratch.path, "dbsync"), 0o770);
  assert.equal(cacheFolder(variables), null, "others could write files");
  chmodSync(join(scratch.path, "dbsync"), 0o700);
  assert.notEqual(cacheFolder(variables), null);
  const owner = statSync(scratch.path).uid;
  t.mock.method(process as { geteuid: () => number }, "geteuid", () => owner + 1);
  assert.equal(cacheFolder(variables), null, "sudo with the home folder of another user");
});

test("the home folder and its folder for caches are checked, too", () => {
  using scratch = new ScratchFolder();
  const { HOME } = process.env;
  process.env["HOME"] = scratch.path;
  try {
    const caches = join(scratch.path, ".cache");
    assert.equal(cacheFolder({}), join(caches, "dbsync"));
    chmodSync(caches, 0o777);
    assert.equal(cacheFolder({}), null, "others could replace the folder");
    chmodSync(caches, 0o700);
    chmodSync(scratch.path, 0o777);
    assert.equal(cacheFolder({}), null, "others could replace the folder for caches");
  } finally {
    process.env["HOME"] = HOME;
  }
});

test("without a folder there is no cache", () => {
  using scratch = new ScratchFolder();
  const file = scratch.file("file", "");
  assert.equal(cacheFolder({ XDG_CACHE_HOME: file }), null);
  assert.equal(cacheFolder({ XDG_CACHE_HOME: join(scratch.path, "missing") }), null);
});

test("the programs keep compiled code if Node supports it", async () => {
  const isSupported = "enableCompileCache" in module;
  const programs = [programPaths.dbsyncd, programPaths.dbsync];
  // The core has no dbsync.
  for (const program of programs.filter((path, i) => i === 0 || existsSync(path))) {
    using scratch = new ScratchFolder();
    const env = { ...process.env, XDG_CACHE_HOME: scratch.path };
    const { code, stderr } = await run(process.execPath, [program, "--version"], { env });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(existsSync(join(scratch.path, "dbsync")), isSupported, program);
  }
});
