/**
 * Bundles the files of each program into a few files, in `bundles/` of the build. Otherwise dbsyncd would read 300
 * files when it starts, which takes twice as long as the rest of the start. Code that is loaded on first use has
 * separate files, and programs share the files of common code.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build, type Plugin } from "esbuild";
import { buildRoot } from "./repository.js";

/**
 * The entry files of programs, threads and libraries, by the name of their bundle. The paths of these compiled files
 * are relative to the build's root.
 */
type Bundles = Readonly<Record<string, string>>;

/** The bundles of the package dbsync-client. */
export const CLIENT_BUNDLES: Bundles = {
  client: "client/public-api.js",
  dbsync: "tools/cli/main.js",
  "dbsync-keygen": "keys/keygen.js",
};

/** All bundles of the product. Those of faces that were removed have no entry file. */
export const BUNDLES: Bundles = {
  ...CLIENT_BUNDLES,
  dbsyncd: "daemon/program/main.js",
  "dbsync-proxy": "tools/proxy/main.js",
  thread: "daemon/program/thread.js",
  "verify-worker": "daemon/engine/trust/verify-worker.js",
  testing: "daemon/program/testing.js",
};

/** Matches the expression by which a source file names a thread or program that it starts. */
const STARTED = /\bnew URL\("(\.[^"]+)", import\.meta\.url\)/g;

/** Makes all bundles. @throws Error if a file starts another source file that has no bundle */
export async function makeBundles(): Promise<void> {
  const folder = join(buildRoot, "bundles");
  await joinFiles(BUNDLES, folder, { sourcemap: "linked" });
  writeRequired(folder, ["client", "testing"]);
  writeForPages(folder, "../browser/dbsync.js", "dbsyncd");
}

/** Writes a CommonJS file for each library, so that `require` returns the same exports as `import`. */
export function writeRequired(folder: string, names: readonly string[]): void {
  for (const name of names)
    writeFileSync(join(folder, `${name}.cjs`), `module.exports = require("./${name}.js");\n`);
}

/** The exports of the library that only Node has. */
const ONLY_IN_NODE = ["dbsyncSend", "dbsyncReset"];

/**
 * Writes the file that bundlers for web pages use for an import of the package itself: the client of web pages, and
 * functions that name the right import in place of those that need Node.
 * @param browserModule  the path of the module for web pages, relative to the folder
 */
export function writeForPages(folder: string, browserModule: string, packageName: string): void {
  const remedy =
    `needs Node: a web page has no TCP connections. In a web page, use createClient of "${packageName}/browser" ` +
    `with the addresses of --ws, for example "wss://db1.example:1180"`;
  const functions = ONLY_IN_NODE.map(
    (name) =>
      `export async function ${name}() {\n  throw new Error(${JSON.stringify(`${name} ${remedy}`)});\n}\n`,
  );
  const names = "createClient, DbsyncError, makeKey, openKey, publicKeyPem";
  writeFileSync(
    join(folder, "client-of-pages.js"),
    `export { ${names} } from "${browserModule}";\n${functions.join("")}`,
  );
}

interface BundleOptions {
  readonly plugins?: readonly Plugin[];
  /** Makes source maps, which tests read. The packages do not contain them. */
  readonly sourcemap?: "linked";
}

/**
 * The library has no file in common with the programs, although it is then twice in the package: a file for each set of
 * programs that share code would take a user's program longer to load than its code.
 */
const LIBRARY = "client";

/** Makes bundles, which share the files of common code, except those of the library. */
export async function joinFiles(bundles: Bundles, outdir: string, options: BundleOptions): Promise<void> {
  const isLibrary = ([name]: readonly [string, string]) => name === LIBRARY;
  const entries = Object.entries(bundles)
    .map(([name, file]) => [name, join(buildRoot, file)] as const)
    .filter(([, file]) => existsSync(file));
  for (const together of [entries.filter(isLibrary), entries.filter((entry) => !isLibrary(entry))])
    await joinEntries(Object.fromEntries(together), outdir, options);
}

async function joinEntries(
  entryPoints: Bundles,
  outdir: string,
  { plugins = [], sourcemap }: BundleOptions,
): Promise<void> {
  await build({
    entryPoints,
    outdir,
    ...(sourcemap && { sourcemap, sourcesContent: false }),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "es2023",
    // npm installs the dependencies.
    packages: "external",
    logLevel: "warning",
    plugins: [...plugins, startedFiles],
  });
}

/** Replaces the path of each file that is started as a thread or program by the path of its bundle. */
const startedFiles: Plugin = {
  name: "started files",
  setup(bundler) {
    bundler.onLoad({ filter: /\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(STARTED, (_, started: string) => {
        const file = relative(buildRoot, join(dirname(path), started));
        const [name] = Object.entries(BUNDLES).find(([, entry]) => entry === file) ?? [];
        if (name === undefined) throw new Error(`${path} starts ${file}, which has no bundle`);
        return `new URL("./${name}.js", import.meta.url)`;
      }),
    }));
  },
};
