/**
 * Reads the modules of folders such as daemon/program/: the imports that a folder's README permits, and the actual
 * imports.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isOfTests } from "../support/chosen-files.js";
import { FACE_NAMES } from "../support/face-contributions.js";
import { repositoryRoot } from "../support/repository.js";
import { importsOf, startedBy, texts } from "./imports.js";

const FACE_FOLDERS = FACE_NAMES.map((name) => `faces/${name}`);

/**
 * The folders whose README has a table of modules, from the lowest layer to the highest. A face needs no table if it
 * has no modules.
 */
export const MODULE_FOLDERS: readonly string[] = [
  "protocol",
  "client",
  "daemon/store",
  "daemon/timeline",
  "daemon/net",
  "daemon/options",
  "daemon/engine",
  "daemon/cluster",
  "daemon/program",
  ...FACE_FOLDERS,
  "tools/cli",
  "tools/history",
  "tools/backup",
  "tools/proxy",
  "tools/admin",
];

/** The folders between which test/tidy.test.ts permits imports. */
export const FOLDERS: readonly string[] = [
  "protocol",
  "keys",
  "client",
  "daemon/store",
  "daemon/timeline",
  "daemon/net",
  "daemon/options",
  "daemon/engine",
  "daemon/cluster",
  "daemon/listener",
  "daemon/program",
  ...FACE_FOLDERS,
  "tools/cli",
  "tools/cli/sql",
  "tools/history",
  "tools/backup",
  "tools/proxy",
  "tools/admin",
  "tools/admin/dashboard",
];
/**
 * Returns the folder of a file in this list: of several that contain it the innermost, or the file's first folder.
 * All tests belong to `test`.
 */
export function folderOf(file: string): string {
  if (isOfTests(file)) return "test";
  const [folder] = FOLDERS.filter((one) => file.startsWith(`${one}/`)).sort(
    (one, other) => other.length - one.length,
  );
  return folder ?? (file.split("/")[0] as string);
}

/** The name for the files directly in a folder. If the table has no row for them, they may import all modules. */
export const DIRECT_FILES = ".";
/** Matches a row of the table: a module, its purpose, and the modules that it may import. */
const ROW = /^\| `([\w/-]+|\.)\/` \| [^|]+ \| ([^|]*) \|$/gm;

/**
 * Returns the modules that each module may import, in the order of the table: from the lowest module to the highest.
 */
export function modulesOfReadme(parent: string): Map<string, readonly string[]> {
  const readme = readFileSync(join(repositoryRoot, parent, "README.md"), "utf8");
  return new Map(
    [...readme.matchAll(ROW)].map(([, module, allowed]) => [
      module as string,
      [...(allowed as string).matchAll(/`([\w/-]+|\.)`/g)].map(([, name]) => name as string),
    ]),
  );
}

/** Matches a row of faces/README.md: a face, its purpose, and the folders that it may import besides the core. */
const FACE_ROW = /^\| \[([\w-]+)\/\]\([^)]*\) \| [^|]+ \| ([^|]*) \|$/gm;

/** Returns the folders that each face may import besides the core, by the folders of the faces. */
export function importsOfFaces(): Map<string, readonly string[]> {
  const readme = readFileSync(join(repositoryRoot, "faces/README.md"), "utf8");
  const rows = [...readme.matchAll(FACE_ROW)].map(([, face, allowed]) => {
    const names = [...(allowed as string).matchAll(/`([\w/-]+)\/`/g)].map(([, name]) => name as string);
    return [
      `faces/${face}`,
      names.map((name) => (FACE_NAMES.includes(name) ? `faces/${name}` : name)),
    ] as const;
  });
  return new Map(rows.filter(([face]) => FACE_FOLDERS.includes(face)));
}

/** Returns the module of a file, or null if the file is not in this folder. */
function moduleOf(parent: string, file: string): string | null {
  if (!file.startsWith(`${parent}/`) || isOfTests(file)) return null;
  return dirname(file).slice(parent.length + 1) || DIRECT_FILES;
}

/** Returns the number of files of each module. */
export function sizes(parent: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const file of texts.keys()) {
    const module = moduleOf(parent, file);
    if (module !== null) found.set(module, (found.get(module) ?? 0) + 1);
  }
  return found;
}

/** Returns the imports between modules: importing module → imported module → the imports as `file → file`. */
export function arrows(parent: string): Map<string, Map<string, string[]>> {
  const found = new Map<string, Map<string, string[]>>();
  for (const file of texts.keys()) {
    const from = moduleOf(parent, file);
    if (from === null) continue;
    for (const imported of [...importsOf(file), ...startedBy(file)]) {
      const to = moduleOf(parent, imported);
      if (to === null || to === from) continue;
      const modules = found.get(from) ?? new Map<string, string[]>();
      found.set(from, modules.set(to, [...(modules.get(to) ?? []), `${file} → ${imported}`]));
    }
  }
  return found;
}

/** Returns the number of source files in each folder. */
export function folderSizes(): Map<string, number> {
  const found = new Map<string, number>();
  for (const file of texts.keys()) found.set(dirname(file), (found.get(dirname(file)) ?? 0) + 1);
  return found;
}
