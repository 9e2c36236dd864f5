/**
 * Bundles the browser client into a few modules that a page can load directly: `browser/dbsync.js`, and the modules
 * that it loads on first use. Each source file belongs to one module only. If a later module needs code of an earlier
 * one, the earlier module exports it in the array `inner`. Methods that no module calls are left out.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
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
  "dbsync-live": join(buildRoot, "client/live/subscription-requests.js"),
  "dbsync-kept": join(sourceFolder, "stored-envelopes.js"),
};

/**
 * Small replacements for files that pages do not need: the sentences of errors, diagnostics channels, unsigned
 * commands, and the parser for frames of both versions.
 */
const STAND_INS: readonly (readonly [files: RegExp, standIn: string])[] = [
  [/\/(sentences|described-outcomes|allowed-values|waiting-reasons|command-labels)\.js$/, "no-sentences.js"],
  [/\/diagnostics-channels\.js$/, "no-diagnostics-channels.js"],
  [/\/signing-terms\.js$/, "no-signing-terms.js"],
  [/\/protocol\/frame\.js$/, "message-frames.js"],
];

/** A replacement for Buffer, which browsers do not have. It implements the methods that the client uses. */
const INJECTED = join(sourceFolder, "byte-buffer.js");

/**
 * The number of digits of the content hash in a module's file name. Because of this hash, a browser never uses an
 * outdated module from its cache.
 */
const HASH_DIGITS = 8;

/** The maximum number of repetitions until the assignment of files to modules stays the same. */
const ASSIGNMENTS_MAX = 10;

export async function makeBrowserModule(): Promise<void> {
  const names = Object.keys(MODULES);
  const unused = await unusedMethods(names);
  const { owners, inner } = await assignFiles(names, unused);
  rmSync(browserFolder, { recursive: true, force: true });
  mkdirSync(browserFolder);
  const files = new Map([["dbsync", "dbsync.js"]]);
  // The first module is built last, since it contains the file names of the remaining ones.
  for (const name of [...names.slice(1), "dbsync"]) {
    const url = (other: string) => `./${files.get(other)}`;
    const plugins = [laterModules(url), shared(name, owners, inner, files), without(unused)];
    const text = textOf(await bundle(name, inner, plugins));
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

/** An export of a module for later modules. */
interface Shared {
  readonly file: string;
  readonly name: string;
  /** The modules that use it. */
  readonly users: Set<string>;
}

/** The exports of each module for later modules. */
type Inner = ReadonlyMap<string, readonly Shared[]>;

/**
 * Assigns each file to a module and finds the exports that modules share. A shared export may add files to an earlier
 * module, so this repeats until nothing changes.
 */
async function assignFiles(
  names: readonly string[],
  unused: ReadonlySet<string>,
): Promise<{ owners: Owners; inner: Inner }> {
  let inner: Inner = new Map();
  for (let round = 0; round < ASSIGNMENTS_MAX; round++) {
    const owners = new Map<string, string>();
    for (const name of names)
      for (const file of await filesOf(name, inner, unused)) if (!owners.has(file)) owners.set(file, name);
    const next = await innerOf(names, owners, unused);
    if (isDeepStrictEqual(next, inner)) return { owners, inner };
    inner = next;
  }
  throw new Error("the files of the browser modules are not assigned");
}

/** Returns the files that contribute code to a module if it is built alone. */
async function filesOf(name: string, inner: Inner, unused: ReadonlySet<string>): Promise<string[]> {
  const plugins = [standIns, laterModules(() => `./${name}.js`), without(unused)];
  const { metafile } = await bundle(name, inner, plugins);
  const [output] = Object.values(metafile?.outputs ?? {});
  return Object.entries(output?.inputs ?? {})
    .filter(([file, { bytesInOutput }]) => bytesInOutput > 0 && file.endsWith(".js"))
    .map(([file]) => resolve(file));
}

/** The prefix of files of other modules in the output of a module that is built to find what it imports from them. */
const FOREIGN = "inner:";
const FOREIGN_IMPORT = /\bimport ?\{([^}]+)\} ?from ?"inner:([^"]+)"/g;

/** Returns the exports that later modules use. */
async function innerOf(
  names: readonly string[],
  owners: Owners,
  unused: ReadonlySet<string>,
): Promise<Inner> {
  const later = names.slice(1);
  const buffer = { file: INJECTED, name: "Buffer", users: new Set(later) };
  const inner = new Map<string, Shared[]>([[owners.get(INJECTED) as string, [buffer]]]);
  for (const module of later) {
    const plugins = [laterModules(() => `./${module}.js`), foreign(module, owners), without(unused)];
    const text = textOf(await bundle(module, new Map(), plugins));
    for (const [, imported = "", file = ""] of text.matchAll(FOREIGN_IMPORT)) {
      const owner = owners.get(file) as string;
      const exported = inner.get(owner) ?? [];
      inner.set(owner, exported);
      for (const [, name = ""] of imported.matchAll(/([\w$]+)(?: as [\w$]+)?(?:, ?|\s*$)/g)) {
        const known = exported.find((each) => each.file === file && each.name === name);
        if (known === undefined) exported.push({ file, name, users: new Set([module]) });
        else known.users.add(module);
      }
    }
  }
  return inner;
}

/** Returns the file that an import names, or the replacement of this file. */
function fileOf(path: string, folder: string): string {
  const file = resolve(folder, path);
  const [, standIn] = STAND_INS.find(([files]) => files.test(file)) ?? [];
  return standIn === undefined ? file : join(sourceFolder, standIn);
}

/** Matches a method of a class, as tsc writes it. */
const METHOD = /^ {4}(?:async |get )?(#?\w+)\(.*\) \{(?:.*\}|\n(?:(?: {5,}.*)?\n)*? {4}\})\n/gm;
/** Matches the beginning of a method, as esbuild writes it. */
const BUNDLED_METHOD = /^ {2}(?:async |get )?(#?\w+)\(.*\) \{/gm;
const WORD = /#?[A-Za-z_$][\w$]*/g;

/** The files whose methods the page calls. */
const PUBLIC_TYPES = ["public-api.d.ts", "browser-client.d.ts"].map((file) => join(sourceFolder, file));

/**
 * Finds the methods that no module calls, because only Node's client or the daemon does. In the modules and in the
 * public types, their names occur only where the methods are declared.
 */
async function unusedMethods(names: readonly string[]): Promise<ReadonlySet<string>> {
  const unused = new Set<string>();
  const types = PUBLIC_TYPES.map((file) => readFileSync(file, "utf8"));
  for (;;) {
    const texts: string[] = [];
    for (const name of names) {
      const plugins = [standIns, laterModules(() => `./${name}.js`), without(unused)];
      texts.push(textOf(await bundle(name, new Map(), plugins, false)));
    }
    const found = namesOnlyDeclared(texts, types).filter((name) => !unused.has(name));
    if (found.length === 0) return unused;
    for (const name of found) unused.add(name);
  }
}

function namesOnlyDeclared(texts: readonly string[], types: readonly string[]): string[] {
  const [declared, used] = [new Map<string, number>(), new Map<string, number>()];
  const count = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const text of texts)
    for (const [, name = ""] of text.matchAll(BUNDLED_METHOD))
      if (name !== "constructor") count(declared, name);
  for (const text of [...texts, ...types]) for (const [name] of text.matchAll(WORD)) count(used, name);
  return [...declared].flatMap(([name, times]) => (used.get(name) === times ? name : []));
}

/** Matches a sentence about malformed bytes. */
const SENTENCE = /(\bmalformed\(|\bnew MalformedFrame\()(?:`[^`]*`|"[^"]*"|'[^']*')/g;

/** Leaves out methods, and the sentences about malformed bytes: errors show only the position of the bytes. */
function without(methods: ReadonlySet<string>): Plugin {
  return {
    name: "without",
    setup(bundler) {
      bundler.onLoad({ filter: /\.js$/, namespace: "file" }, ({ path }) => ({
        contents: readFileSync(path, "utf8")
          .replace(METHOD, (method, name) => (methods.has(name) ? "" : method))
          .replace(SENTENCE, '$1"malformed"'),
      }));
    },
  };
}

const textOf = ({ outputFiles }: BuildResult): string => outputFiles?.[0]?.text ?? "";

function bundle(name: string, inner: Inner, plugins: Plugin[], minify = true): Promise<BuildResult> {
  const shared = inner.get(name) ?? [];
  const lines = shared.map(({ file, name }, at) => `import { ${name} as inner${at} } from "${file}";`);
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
    minify,
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
function laterModules(url: (name: string) => string): Plugin {
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

/** Keeps imports of code that belongs to other modules, to find out what is used. */
function foreign(name: string, owners: Owners): Plugin {
  return {
    name: "foreign",
    setup(bundler) {
      bundler.onResolve({ filter: /^[./]/ }, ({ path, resolveDir }) => {
        const file = fileOf(path, resolveDir);
        // esbuild does not accept an external file here, and every module uses it.
        const isOther = file !== INJECTED && (owners.get(file) ?? name) !== name;
        return isOther ? { path: `${FOREIGN}${file}`, external: true } : { path: file };
      });
    },
  };
}

const EXPORT = /^export (?:async )?(?:const|let|class|function\*?) (\w+)/gm;

/** Imports code that belongs to another module from that module. */
function shared(name: string, owners: Owners, inner: Inner, files: ReadonlyMap<string, string>): Plugin {
  const belongsToOther = (file: string) => (owners.get(file) ?? name) !== name;
  return {
    name: "shared",
    setup(bundler) {
      bundler.onResolve({ filter: /^[./]/ }, ({ path, resolveDir, namespace }) => {
        if (namespace === "module") return { path: `./${files.get(path.slice(1))}`, external: true };
        if (namespace === "inner") return { path: path.slice(1), namespace: "module" };
        const file = fileOf(path, resolveDir);
        return belongsToOther(file) ? { path: file, namespace: "inner" } : { path: file };
      });
      bundler.onLoad({ filter: /./, namespace: "inner" }, ({ path }) => {
        const owner = owners.get(path) as string;
        const exported = (inner.get(owner) ?? []).flatMap((each, at) =>
          each.file === path && each.users.has(name) ? [`inner${at} as ${each.name}`] : [],
        );
        // esbuild requires the remaining exports too, even if only code that is left out uses them.
        const used = new Set(exported.map((each) => each.replace(/^\w+ as /, "")));
        const remaining = [...readFileSync(path, "utf8").matchAll(EXPORT)].flatMap(([, each = ""]) =>
          used.has(each) ? [] : [`export let ${each};`],
        );
        return { contents: `export { ${exported.join(", ")} } from "/${owner}";\n${remaining.join("\n")}` };
      });
      bundler.onLoad({ filter: /./, namespace: "module" }, ({ path: owner }) => {
        const exported = (inner.get(owner) ?? []).map(({ users }, at) =>
          users.has(name) ? `inner${at}` : "",
        );
        return {
          contents: `import { inner } from "/${owner}";\nexport const [${exported.join(", ")}] = inner;`,
        };
      });
    },
  };
}
