/**
 * A test process leaves no files in the temporary folder, however many key pairs, secrets
 * and folders it has made. A test reserves every port that must refuse connections, so no other process can
 * listen there.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { isOfTests } from "../support/chosen-files.js";
import { buildRoot, ownFiles, repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";

const compiled = (name: string): string => JSON.stringify(pathToFileURL(join(buildRoot, "test", name)).href);

/** The code of the test process. Before it ends, it prints the names of the files in the temporary folder. */
const PROCESS = `
  const { readdirSync } = await import("node:fs");
  const { makeKeyPair } = await import(${compiled("support/envelope-client.js")});
  await import(${compiled("support/cluster-secret.js")});
  const { Trio } = await import(${compiled("support/trio.js")});
  for (let pairs = 0; pairs < 20; pairs++) makeKeyPair();
  const trio = await Trio.start([], 2);
  const names = readdirSync(process.env.TMPDIR);
  await trio[Symbol.asyncDispose]();
  if (process.argv.includes("throws")) throw new Error("a test fails");
  console.log(JSON.stringify(names));
`;

for (const [how, code] of Object.entries({ ends: 0, throws: 1 }))
  test(`a test process that ${how} leaves no temporary folder`, { timeout: 300_000 }, async () => {
    using folder = new ScratchFolder();
    const ended = await run(process.execPath, ["--input-type=module", "--eval", PROCESS, "--", how], {
      env: { TMPDIR: folder.path },
    });
    assert.equal(ended.code, code, ended.stderr);
    if (code === 0) {
      const names = JSON.parse(ended.stdout) as string[];
      assert.ok(names.length > 0, "the process has made files");
      assert.ok(names.length < 20, `all key pairs share one folder: ${names.join()}`);
    }
    assert.deepEqual(readdirSync(folder.path), []);
  });

/** Matches a fixed port of a client in a test. Port 0 and addresses that are only parsed do not match. */
const FIXED = /\b(?:connect|createConnection)\(\s*\{?\s*(?:port:\s*)?[1-9]\d*\b/;
const FIXED_SERVER = /\bcreateClient\(\s*\{[^}]*servers:\s*\[?\s*["'`](?:127\.|localhost)[^"'`]*:\d+/;

test("tests connect only to ports that they have reserved", () => {
  const files = ownFiles().filter((file) => isOfTests(file) && file.endsWith(".ts"));
  assert.ok(files.length > 100);
  const found = files.flatMap((file) =>
    readFileSync(join(repositoryRoot, file), "utf8")
      .split("\n")
      .flatMap((line, index) =>
        FIXED.test(line) || FIXED_SERVER.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
      ),
  );
  assert.deepEqual(found, []);
});
