/** Determines what must leave the tree together with a face or tool. */
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import * as faces from "../../daemon/faces.js";
import { nameOf, type OptionRow } from "../../daemon/options/option-row.js";
import type { LimitRow } from "../../daemon/options/value-forms.js";
import type { Face } from "../../daemon/program/face.js";
import { importsOf, startedBy, texts } from "../modules/imports.js";
import { FOLDERS, folderOf } from "../modules/modules.js";
import { isOfTests } from "../support/chosen-files.js";
import { repositoryRoot } from "../support/repository.js";

/** The list of the faces and tools of the daemon. */
export const FACE_LIST = "daemon/faces.ts";
/** The files that contain only one export line for each face, tool or module that can be removed. */
const LIST_FILES: readonly string[] = [FACE_LIST, "tools/cli/faces.ts"];
const LINE = /^export \{ (\w+) \} from "([./\w-]+)\/face\.js";$/gm;

/**
 * The tests that import this file run commands of several faces. A build without one of these faces cannot run them.
 */
const ALL_FAMILIES = "test/support/all-families.ts";

/** The faces and tools in the list: folders by names. */
export const FACE_FOLDERS: ReadonlyMap<string, string> = new Map(
  [...textOf(FACE_LIST).matchAll(LINE)].map(([, name, path]) => [
    name as string,
    importedFolder(FACE_LIST, path as string),
  ]),
);

/** The folders of faces and tools that can be removed. Some contain others, which can also be removed alone. */
const REMOVABLE: readonly string[] = FOLDERS.filter((folder) => /^(faces|tools)\//.test(folder));

type Entry = Pick<Face, "options" | "limits" | "families">;

const FACE_ENTRIES = Object.entries<Entry>(faces);

export interface Removal {
  /** The removed folders: the requested ones, and the faces and tools that import them. */
  readonly folders: readonly string[];
  /** Imports of the remaining product that lead into the folders, as `file → file`. */
  readonly blocking: readonly string[];
  /**
   * The files of tests, benchmarks and examples that need the folders: they import them, directly or indirectly, or
   * name an option of theirs.
   */
  readonly dependents: readonly string[];
  /** The long names of the removed options and limits. */
  readonly options: readonly string[];
  /** The texts of the lists without the removed faces and tools, by the paths of the lists that remain. */
  readonly lists: ReadonlyMap<string, string>;
}

/** Plans the removal of folders. @param folders  such as `faces/web`; empty: everything in faces/ and tools/ */
export function planRemoval(folders: readonly string[]): Removal {
  const found = folders.length === 0 ? REMOVABLE : withImporters(folders);
  const all = found.filter((folder) => !found.some((other) => folder.startsWith(`${other}/`)));
  const isRemoved = (file: string) => all.some((folder) => file.startsWith(`${folder}/`));
  const remaining = [...texts.keys()].filter((file) => !isRemoved(file));

  const blocking = remaining
    .filter((file) => !isTest(file) && !LIST_FILES.includes(file))
    .flatMap((file) =>
      dependenciesOf(file)
        .filter(isRemoved)
        .map((imported) => `${file} → ${imported}`),
    );

  const removed = [...FACE_FOLDERS].filter(([, folder]) => isRemoved(`${folder}/face.ts`));
  const hasFamilies = entriesOf(removed).some(({ families }) => families !== undefined);

  return {
    folders: all,
    blocking,
    dependents: dependentsOf(
      remaining.filter(isTest),
      (file) => isRemoved(file) || (hasFamilies && file === ALL_FAMILIES),
    ),
    options: optionsOf(removed),
    lists: new Map(
      LIST_FILES.filter((list) => !isRemoved(list)).map((list) => [
        list,
        listWithout(list, (folder) => isRemoved(`${folder}/face.ts`)),
      ]),
    ),
  };
}

function listWithout(list: string, isRemoved: (folder: string) => boolean): string {
  const text = textOf(list).replace(LINE, (line, _, path) =>
    isRemoved(importedFolder(list, path)) ? "" : line,
  );
  // A file without exports would be a script.
  return /^export/m.test(text) ? text : `${text}export {};\n`;
}

function textOf(file: string): string {
  return readFileSync(join(repositoryRoot, file), "utf8");
}

/** Returns the folder that a line of a list imports. @param path  relative to the list */
function importedFolder(list: string, path: string): string {
  return normalize(join(dirname(list), path));
}

const isTest = (file: string): boolean => isOfTests(file) || /^(bench|examples)\//.test(file);

const dependenciesOf = (file: string): string[] => [...importsOf(file), ...startedBy(file)];

type NamedFolders = readonly (readonly [name: string, folder: string])[];

/** Returns the long names of the options and limits of faces. */
function optionsOf(removed: NamedFolders): string[] {
  const limits = entriesOf(removed).flatMap(({ limits = {} }) => Object.values<LimitRow>(limits));
  return [...rowsOf(removed).map(nameOf), ...limits.flatMap(({ flag }) => flag ?? [])];
}

function rowsOf(removed: NamedFolders): OptionRow[] {
  return entriesOf(removed).flatMap(({ options = {} }) => Object.values<OptionRow>(options));
}

function entriesOf(removed: NamedFolders): Entry[] {
  const names = removed.map(([name]) => name);
  return FACE_ENTRIES.filter(([name]) => names.includes(name)).map(([, entry]) => entry);
}

/** Returns the folders, and those that import them, directly or indirectly. */
function withImporters(folders: readonly string[]): string[] {
  const found = new Set(folders);
  const isFound = (file: string) => [...found].some((folder) => file.startsWith(`${folder}/`));
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const folder of REMOVABLE) {
      const files = [...texts.keys()].filter(
        (file) => folderOf(file) === folder && !LIST_FILES.includes(file),
      );
      if (files.some((file) => dependenciesOf(file).some(isFound))) found.add(folder);
    }
  }
  return [...found];
}

/** Matches tests of the documents' pages, which describe the complete product, and are not copied. */
const PAGES = 'repositoryRoot, "docs';

/** The kinds of databases of -d that belong to faces. */
const DATABASES: ReadonlyMap<string, string> = new Map([
  ["redisBehind", "redis"],
  ["sidecar", "dbsync"],
]);

/**
 * Returns the tests that import a removed file, directly or indirectly, or name an option or a database of a removed
 * face, and the tests of pages.
 */
function dependentsOf(tests: readonly string[], isRemoved: (file: string) => boolean): string[] {
  const removed = [...FACE_FOLDERS].filter(([, folder]) => isRemoved(`${folder}/face.ts`));
  const kinds = removed.flatMap(([name]) => DATABASES.get(name) ?? []);
  const used = [
    ...optionsOf(removed).map((name) => `"--${name}[" ]`),
    ...kinds.map((kind) => `"(?:-d|--database)", .${kind}`),
    PAGES,
  ];

  const pattern = new RegExp(used.join("|"));
  const isUser = (file: string) => pattern.test(texts.get(file) ?? "");
  const found = new Set(tests.filter((file) => /\.test\.ts$/.test(file) && isUser(file)));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const file of tests)
      if (!found.has(file) && dependenciesOf(file).some((one) => isRemoved(one) || found.has(one)))
        found.add(file);
  }
  return [...found];
}
