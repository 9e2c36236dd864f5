/**
 * Tests what a bundler for web pages makes of an import of the package itself, which is the client of Node otherwise.
 */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import * as inNode from "../../../client/public-api.js";
import { repositoryRoot } from "../../support/repository.js";
import { scratchFolder } from "../../support/scratch-folder.js";
import { key, makeFleet, makeSocket, page } from "./scene.js";

type Bundled = Omit<typeof page, "inner"> & Pick<typeof inNode, "dbsyncSend" | "dbsyncReset">;

/** Bundles `export * from "dbsyncd"` for web pages, and imports the result. */
async function bundled(splitting: boolean): Promise<Bundled> {
  const folder = scratchFolder("bundled");
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(repositoryRoot, join(folder, "node_modules/dbsyncd"));
  writeFileSync(join(folder, "page.mjs"), 'export * from "dbsyncd";\n');

  const entryPoints = [join(folder, "page.mjs")];
  const outExtension = { ".js": ".mjs" };
  const outdir = join(folder, "out");
  await build({
    entryPoints,
    outdir,
    outExtension,
    bundle: true,
    splitting,
    format: "esm",
    platform: "browser",
  });
  return (await import(join(outdir, "page.mjs"))) as Bundled;
}

for (const splitting of [false, true])
  test(`a bundle ${splitting ? "of several files" : "in one file"} contains the client of web pages`, async () => {
    const { createClient } = await bundled(splitting);
    await using fleet = await makeFleet(1);
    const client = createClient({ servers: fleet.servers, key, makeSocket });
    assert.equal(await client.call(["INCR", "visits"]), 1);
    client.close();
  });

test("a bundle has all exports of the package, and those that need Node name the import to use", async () => {
  const exports = await bundled(false);
  const { inner: _, ...ofPages } = page as typeof page & { inner: unknown };
  assert.deepEqual(Object.keys(exports).sort(), [...new Set(Object.keys({ ...ofPages, ...inNode }))].sort());
  for (const name of ["dbsyncSend", "dbsyncReset"] as const)
    await assert.rejects(
      async () => await exports[name]("PING"),
      new RegExp(`^Error: ${name} needs Node: .* use createClient of "dbsyncd/browser"`),
    );
});
