/** Checks the types of `dbsyncd/browser` in a project for web pages without @types/node. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildRoot, repositoryRoot } from "../../support/repository.js";
import { run } from "../../support/run-program.js";
import { scratchFolder } from "../../support/scratch-folder.js";

const PAGE = readFileSync(join(repositoryRoot, "docs", "browsers.md"), "utf8");

const OPTIONS = {
  strict: true,
  noEmit: true,
  skipLibCheck: false,
  target: "es2022",
  module: "esnext",
  moduleResolution: "bundler",
  lib: printedLibraries(PAGE),
  types: [],
  paths: { "dbsyncd/browser": [join(buildRoot, "client/browser/public-api.d.ts")] },
};

/** Returns the libraries that the page prints for tsconfig.json. */
function printedLibraries(page: string): unknown {
  const [, list] = /`"lib": (\[[^\]]*\])`/.exec(page) ?? [];
  assert.ok(list !== undefined, "docs/browsers.md prints no lib");
  return JSON.parse(list);
}

/** Compiles a module for a page. @returns the compiler's output */
async function compiled(text: string): Promise<string> {
  const folder = join(scratchFolder("page-types"), "page");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "page.ts"), text);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: OPTIONS, files: ["page.ts"] }),
  );
  const tsc = join(repositoryRoot, "node_modules", "typescript", "bin", "tsc");
  const { stdout, stderr } = await run(process.execPath, [tsc, "-p", folder]);
  return stdout + stderr;
}

test("the TypeScript examples of docs/browsers.md compile without @types/node", async () => {
  const [, block = ""] = /^```ts\n([\s\S]*?)^```$/m.exec(PAGE) ?? [];
  assert.match(block, /createClient/);
  assert.equal(await compiled(block), "");
});

test("in web pages, a call returns the type that the caller states", async () => {
  const text = `import { createClient } from "dbsyncd/browser";
    const visits = await createClient({ servers: "ws://a:1" }).call<TYPE>("INCR visits");
    console.log(visits + 1);`;
  assert.equal(await compiled(text.replace("TYPE", "number")), "");
  assert.match(await compiled(text.replace("TYPE", "number | null")), /'visits' is possibly 'null'/);
  assert.match(await compiled(text.replace("TYPE", "Date")), /Type 'Date' does not satisfy the constraint/);
});

test("in web pages, bytes of events have the type Uint8Array, not string", async () => {
  const text = `import { createClient } from "dbsyncd/browser";
    for await (const event of createClient({ servers: "ws://a:1" }).watch("k", { buffers: true }))
      if (event.type === "changed" && typeof event.key !== "string") HERE;
    export {};`;
  assert.equal(await compiled(text.replace("HERE", "event.key.subarray(1)")), "");
  assert.match(await compiled(text.replace("HERE", "event.key.readUInt8(1)")), /readUInt8/);
});
