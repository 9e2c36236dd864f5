/** Number C16, in part. No command of a runbook is a mistake of usage: against servers that refuse connections none ends with 2. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeKeyPair } from "../support/envelope-client.js";
import { programPaths } from "../support/programs.js";
import { repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";
import { Folder } from "./scene.js";

const USAGE = 2;
const REFUSING = "127.0.0.1:1";

test("every dbsync command of docs/runbooks.md is well-formed", { timeout: 300_000 }, async () => {
  using folder = new Folder();
  for (const name of ["", "root-", "next-", "next-root-"]) {
    const pair = makeKeyPair();
    folder.privateKey(pair, `${name}private.pem`);
    folder.file(`${name}public.pem`, pair.pem);
  }
  const text = readFileSync(join(repositoryRoot, "docs/runbooks.md"), "utf8");
  const lines = [...text.matchAll(/^dbsync [^\n]*/gm)].map(([line]) => line.replace(/\s+#.*$/, ""));
  assert.ok(lines.length > 10);
  const wrong: string[] = [];
  for (const line of new Set(lines)) {
    const command = line
      .replace(/^dbsync /, `${process.execPath} ${programPaths.dbsync} `)
      .replace(/ -s \S+/, ` -s ${REFUSING}`)
      .replace(/ --at \S+/, " --at 2026-01-31T11:58:20Z")
      .replaceAll("/var/lib/dbsyncd", `${folder.path}/data`);
    const { code, stderr } = await run("sh", ["-c", command], { cwd: folder.path });
    if (code === USAGE) wrong.push(`${line}: ${stderr.split("\n")[0]}`);
  }
  assert.deepEqual(wrong, []);
});
