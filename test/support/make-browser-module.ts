/**
 * Joins the client of pages into few modules that a page can load directly: `browser/dbsync.js` of the build, and
 * those that it loads on use. Each file is in one module only: what a later module needs of an earlier one, the
 * earlier exports as `inner`, by number.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type BuildResult, build, type Plugin } from "esbuild";
import { buildRoot } from "./repository.js";

export const browserFolder = join(buildRoot, "browser");
export const browserModule = join(browserFolder, "dbsync.js");

const own = join(buildRoot, "client", "browser");

/**
 * The modules by name: the first, and those that `import()` of this file loads on use. An earlier one is never loaded
 * after a later one that needs it.
 */
const MODULES: Readonly<Record<string, string>> = {
  dbsync: join(own, "entry.js"),
  "dbsync-core": join(buildRoot, "client/version-2/outbox.js"),
  "dbsync-live": join(buildRoot, "client/live/listening.js"),
  "dbsync-kept": join(own, "kept-envelopes.js"),
};

/**
 * Replacements for files that pages can do without: sentences about processes, channels, and signing without a key.
 */
const STAND_INS: readonly (readonly [files: RegExp, standIn: string])[] = [
  [/\/(sentences|described-outcomes|allowed|may-wait|command-labels)\.js$/, "no-sentences.js"],
  [/\/calls\/channels\.js$/, "no-channels.js"],
  [/\/signing-terms\.js$/, "no-keyless.js"],
];

/** A replacement for Buffer, which browsers do not have, or for the part of it that the client uses. */
const INJECTED = join(own, "byte-buffer.js");

/** Digits of the hash of a module's contents in its name, so that a browser never takes an old one from its cache. */
const HASH_DIGITS = 8;

export async function makeBrowserModule(): Promise<void> {
  const names = Object.keys(MODULES);
  const { owners, inner } = await shareOut(names);
  rmSync(browserFolder, { recursive: true, force: true });
  mkdirSync(browserFolder);
  const files = new Map([["dbsync", "dbsync.js"]]);
  // The first module contains the names, with hashes, of the rest.
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

/** Returns the file of a module that a page requests; null: the path names none. */
export function browserFile(path: string): string | null {
  const file = join(browserFolder, basename(path));
  return path.startsWith("/dbsync") && existsSync(file) ? file : null;
}

/** The module of each file. */
type Owners = ReadonlyMap<string, string>;

/** What a module exports for later ones: names of exports, each with its file. */
type Inner = ReadonlyMap<string, readonly (readonly [file: string, name: string])[]>;

/** Finds the modules' files and what they share; shared exports may bring more files into an earlier module. */
async function shareOut(names: readonly string[]): Promise<{ owners: Owners; inner: Inner }> {
  let inner: Inner = new Map();
  for (;;) {
    const owners = new Map<string, string>();
    for (const name of names)
      for (const file of await filesOf(name, inner)) if (!owners.has(file)) owners.set(file, name);
    const next = innerOf(owners);
    if (sizeOf(next) === sizeOf(inner)) return { owners, inner: next };
    inner = next;
  }
}

const sizeOf = (inner: Inner): number => [...inner.values()].reduce((sum, { length }) => sum + length, 0);

/** Returns the files that contribute code to a module that is built alone, with its exports. */
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
      for (const [, name = ""] of imported.matchAll(/(\w+)(?: as \w+)?(?:, |$)/g))
        add(fileOf(path, dirname(file)), name, module);
  }
  return inner;
}

/** Returns the file of an import, or its replacement. */
function fileOf(path: string, folder: string): string {
  const file = resolve(folder, path);
  const [, standIn] = STAND_INS.find(([files]) => files.test(file)) ?? [];
  return standIn === undefined ? file : join(own, standIn);
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
    // Browsers do not have Buffer; the replacement has the methods that the client uses.
    inject: [INJECTED],
    plugins,
    logLevel: "warning",
  });
}

const standIns: Plugin = {
  name: "stand-ins",
  setup(bundler) {
    for (const [filter, standIn] of STAND_INS)
      bundler.onResolve({ filter }, () => ({ path: join(own, standIn) }));
  },
};

/** Leaves to `import()` what is loaded on use. @param url  returns a module's URL */
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

/** Imports from other modules what belongs to them. */
function shared(name: string, owners: Owners, inner: Inner, files: ReadonlyMap<string, string>): Plugin {
  const isOthers = (file: string) => (owners.get(file) ?? name) !== name;
  return {
    name: "shared",
    setup(bundler) {
      bundler.onResolve({ filter: /^[./]/ }, ({ path, resolveDir, namespace }) => {
        if (namespace === "inner") return { path, external: true };
        const file = fileOf(path, resolveDir);
        return isOthers(file) ? { path: file, namespace: "inner" } : { path: file };
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
