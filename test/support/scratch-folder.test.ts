import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { makeFolder } from "../daemon/program/replicas.js";
import { buildRoot } from "./repository.js";

const module = (name: string) => JSON.stringify(pathToFileURL(join(buildRoot, "test", name)).href);

const PROGRAM = `
  const { makeKeyPair } = await import(${module("support/envelope-client.js")});
  const { secretFile } = await import(${module("support/cluster-secret.js")});
  const { keyFile } = await import(${module("client/browser/scene.js")});
  console.log([makeKeyPair().file, makeKeyPair("rsa").file, secretFile, keyFile].join());
`;

test("a test process removes the files that its helper functions have created", () => {
  using folder = makeFolder();
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", PROGRAM], {
    env: { ...process.env, TMPDIR: folder.path },
    encoding: "utf8",
  });
  const files = stdout.trim().split(",");
  assert.equal(new Set(files.filter((file) => file.startsWith(folder.path))).size, 4, stderr);
  assert.deepEqual(readdirSync(folder.path), []);
});
