/**
 * Bundles the browser client into a few modules that a page can load directly: `browser/dbsync.js`, and the modules
 * that it loads on first use. Each source file belongs to one module only. If a later module needs code of an earlier
 * one, the earlier module exports it in the array `inner`.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type BuildResult, build, type Plugin } from "esbuild";
import { buildRoot } from "./repository.js";

export const browserFolder = join(buildRoot, "browser");
export const browserModule = join(browserFolder, "dbsync.js");

const sourceFolder = join(buildRoot, "client", "browser");

/**
 * The entry files of the modules, by module name. The first module loads the remaining ones with `import()`. A module
 * may need code of the modules listed above it, but not of those listed below it.
 */
const MODULES: Readonly<Record<string, string>> = {
  dbsync: join(sourceFolder, "public-api.js"),
  "dbsync-core": join(buildRoot, "client/version-2/outbox.js"),
  "dbsync-live": join(buildRoot, "client/live/subscriptions.js"),
  "dbsync-kept": join(sourceFolder, "stored-envelopes.js"),
};

/**
 * Small replacements for files that pages do not need: the sentences of errors, diagnostics channels, unsigned
 * commands, calls that share an envelope, and the parser for frames of both versions.
 */
const STAND_INS: readonly (readonly [files: RegExp, standIn: string])[] = [
  [/\/(sentences|allowed-values|command-labels)\.js$/, "no-sentences.js"],
  [/\/diagnostics-channels\.js$/, "no-diagnostics-channels.js"],
  [/\/signing-terms\.js$/, "no-signing-terms.js"],
  [/\/shared-envelopes\.js$/, "no-shared-envelopes.js"],
  [/\/protocol\/frame\.js$/, "message-frames.js"],
];

/** A replacement for Buffer, which browsers do not have. It implements the methods that the client uses. */
const INJECTED = join(sourceFolder, "byte-buffer.js");

/**
 * The number of digits of the content hash in a module's file name. Because of this hash, a browser never uses an
 * outdated module from its cache.
 */
const HASH_DIGITS = 8;

export async function makeBrowserModule(): Promise<void> {
  const names = Object.keys(MODULES);
  const { owners, inner } = await assignFiles(names);
  rmSync(browserFolder, { recursive: true, force: true });
  mkdirSync(browserFolder);
  const files = new Map([["dbsync", "dbsync.js"]]);
  // The first module is built last, since it contains the file names of the remaining ones.
  for (const name of [...names.slice(1), "dbsync"]) {
    const url = (other: string) => `./${files.get(other)}`;
    const { outputFiles } = await bundle(name, inner, [later(url), shared(name, owners, inner, files)]);
    const text = outputFiles?.[0]?.text ?? "";
    const hash = createHash("sha256").update(text).digest("hex").slice(0, HASH_DIGITS);
    const file = files.get(name) ?? `${name}-${hash}.js`;
    files.set(name, file);
    writeFileSync(join(browserFolder, file), text);
  }
}

/** Returns the file of the module that a page requests, or null if no module has this path. */
export function browserFile(path: string): string | null {
  const file = join(browserFolder, basename(path));
  return path.startsWith("/dbsync") && existsSync(file) ? file : null;
}

/** The module that contains each file. */
type Owners = ReadonlyMap<string, string>;

/** The exports of each module for later modules: the exported names, each with its file. */
type Inner = ReadonlyMap<string, readonly (readonly [file: string, name: string])[]>;

/**
 * Assigns each file to a module and finds the exports that modules share. A shared export may add files to an earlier
 * module, so this repeats until nothing changes.
 */
async function assignFiles(
  names: readonly string[],
  inner: Inner = new Map(),
): Promise<{ owners: Owners; inner: Inner }> {
  const owners = new Map<string, string>();
  for (const name of names)
    for (const file of await filesOf(name, inner)) if (!owners.has(file)) owners.set(file, name);
  const next = innerOf(owners);
  return sizeOf(next) === sizeOf(inner) ? { owners, inner: next } : await assignFiles(names, next);
}

const sizeOf = (inner: Inner): number => [...inner.values()].reduce((sum, { length }) => sum + length, 0);

/** Returns the files that contribute code to a module if it is built alone. */
async function filesOf(name: string, inner: Inner): Promise<string[]> {
  const { metafile } = await bundle(name, inner, [standIns, later(() => `./${name}.js`)]);
  const [output] = Object.values(metafile?.outputs ?? {});
  return Object.entries(output?.inputs ?? {})
    .filter(([file, { bytesInOutput }]) => bytesInOutput > 0 && file.endsWith(".js"))
    .map(([file]) => resolve(file));
}

const IMPORT = /^import \{ ([^}]+?),? \} from "(\.[^"]+)";$/gm;

function innerOf(owners: Owners): Inner {
  const inner = new Map<string, [file: string, name: string][]>();
  const add = (file: string, name: string, module: string) => {
    const owner = owners.get(file);
    if (owner === undefined || owner === module) return;
    const exported = inner.get(owner) ?? [];
    if (!exported.some(([known, other]) => known === file && other === name)) exported.push([file, name]);
    inner.set(owner, exported);
  };
  for (const [file, module] of owners) {
    add(INJECTED, "Buffer", module);
    for (const [, imported = "", path = ""] of readFileSync(file, "utf8").matchAll(IMPORT))
      for (const [, name = ""] of imported.matchAll(/([\w$]+)(?: as [\w$]+)?(?:, |$)/g))
        add(fileOf(path, dirname(file)), name, module);
  }
  return inner;
}

/** Returns the file that an import names, or the replacement of this file. */
function fileOf(path: string, folder: string): string {
  const file = resolve(folder, path);
  const [, standIn] = STAND_INS.find(([files]) => files.test(file)) ?? [];
  return standIn === undefined ? file : join(sourceFolder, standIn);
}

function bundle(name: string, inner: Inner, plugins: Plugin[]): Promise<BuildResult> {
  const shared = inner.get(name) ?? [];
  const lines = shared.map(([file, exported], at) => `import { ${exported} as inner${at} } from "${file}";`);
  const list = shared.map((_, at) => `inner${at}`).join(", ");
  return build({
    stdin: {
      contents: [`export * from "${MODULES[name]}";`, ...lines, `export const inner = [${list}];`].join("\n"),
      resolveDir: buildRoot,
      sourcefile: name,
    },
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    // Every module may use Buffer, which browsers do not have.
    inject: [INJECTED],
    plugins,
    logLevel: "warning",
  });
}

const standIns: Plugin = {
  name: "stand-ins",
  setup(bundler) {
    for (const [filter, standIn] of STAND_INS)
      bundler.onResolve({ filter }, () => ({ path: join(sourceFolder, standIn) }));
  },
};

/** Keeps the `import()` of another module as it is. @param url  returns the URL of a module */
function later(url: (name: string) => string): Plugin {
  return {
    name: "later",
    setup(bundler) {
      bundler.onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
        if (kind !== "dynamic-import") return null;
        const file = resolve(resolveDir, path);
        const [name = ""] = Object.entries(MODULES).find(([, entry]) => entry === file) ?? [];
        return { path: url(name), external: true };
      });
    },
  };
}

/** Imports code that belongs to another module from that module. */
function shared(name: string, owners: Owners, inner: Inner, files: ReadonlyMap<string, string>): Plugin {
  const belongsToOther = (file: string) => (owners.get(file) ?? name) !== name;
  return {
    name: "shared",
    setup(bundler) {
      bundler.onResolve({ filter: /^[./]/ }, ({ path, resolveDir, namespace }) => {
        if (namespace === "inner") return { path, external: true };
        const file = fileOf(path, resolveDir);
        return belongsToOther(file) ? { path: file, namespace: "inner" } : { path: file };
      });
      bundler.onLoad({ filter: /./, namespace: "inner" }, ({ path }) => {
        const owner = owners.get(path) as string;
        const exported = (inner.get(owner) ?? []).flatMap(([file, each], at) =>
          file === path ? [`export const ${each} = inner[${at}];`] : [],
        );
        return { contents: [`import { inner } from "./${files.get(owner)}";`, ...exported].join("\n") };
      });
    },
  };
}
