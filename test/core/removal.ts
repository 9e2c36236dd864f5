/** Determines what must leave the tree together with a face or tool. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { nameOf, type OptionRow } from "../../daemon/options/option-row.js";
import { OPTIONS } from "../../daemon/options/option-table.js";
import { importsOf, startedBy, texts } from "../rooms/imports.js";
import { repositoryRoot } from "../support/repository.js";

/** The list of the faces and tools of the daemon. */
export const FACE_LIST = "daemon/program/faces.ts";
const LINE = /^export \{ (\w+) \} from "\.\.\/\.\.\/((?:faces|tools)\/[\w-]+)\/face\.js";$/gm;

/** The list of the families of commands of faces, with an entry such as `"redis/geo": async () => …,` for each. */
const FAMILY_LIST = "faces/command-families.ts";
const FAMILY = /^ {2}"([\w-]+)\/[\w-]+": async \(\) =>[\s\S]*?,\n(?= {2}"|\} as const)/gm;

/** An import that only entries use. */
const KIND_IMPORT = /^import \{ registerValueKind \}.*\n/m;

const LISTS: readonly string[] = [FACE_LIST, FAMILY_LIST];

/** The faces and tools in the list: folders by names. */
export const LISTED: ReadonlyMap<string, string> = new Map(
  [...readFileSync(join(repositoryRoot, FACE_LIST), "utf8").matchAll(LINE)].map(([, name, folder]) => [
    name as string,
    folder as string,
  ]),
);

/** The folders of faces and tools that can be removed, each with everything of its own. */
const FOLDERS: readonly string[] = [
  ...new Set([...texts.keys()].flatMap((file) => /^(?:faces|tools)\/[\w-]+(?=\/)/.exec(file)?.[0] ?? [])),
];

export interface Removal {
  /** The removed folders: the requested ones, and the faces and tools that import them. */
  readonly folders: readonly string[];
  /** Imports of the remaining product that lead into the folders, as `file → file`. */
  readonly blocking: readonly string[];
  /**
   * The files of tests, benchmarks and examples that need the folders: they import them, directly or indirectly, or name
   * an option of theirs.
   */
  readonly dependents: readonly string[];
  /** The texts of the lists without the removed faces and tools, by their files. */
  readonly lists: ReadonlyMap<string, string>;
}

/** Plans the removal of folders. @param folders  `faces/memcached`; empty: everything in faces/ and tools/ */
export function planRemoval(folders: readonly string[]): Removal {
  const all = folders.length === 0 ? FOLDERS : withImporters(folders);
  const isRemoved = (file: string) => all.some((folder) => file.startsWith(`${folder}/`));
  const remaining = [...texts.keys()].filter((file) => !isRemoved(file));
  const blocking = remaining
    .filter((file) => !isTest(file) && !LISTS.includes(file))
    .flatMap((file) =>
      dependenciesOf(file)
        .filter(isRemoved)
        .map((imported) => `${file} → ${imported}`),
    );
  return {
    folders: all,
    blocking,
    // Tests that load all families run commands of faces.
    dependents: dependentsOf(
      remaining.filter(isTest),
      (file) => isRemoved(file) || (folders.length === 0 && file === FAMILY_LIST),
    ),
    lists: listsWithout((folder) => all.includes(folder)),
  };
}

function listsWithout(isRemoved: (folder: string) => boolean): Map<string, string> {
  const faces = textOf(FACE_LIST).replace(LINE, (line, _, folder) => (isRemoved(folder) ? "" : line));
  const families = textOf(FAMILY_LIST).replace(FAMILY, (entry, face) =>
    isRemoved(`faces/${face}`) ? "" : entry,
  );
  return new Map([
    // A file without exports would be a script.
    [FACE_LIST, /^export/m.test(faces) ? faces : `${faces}export {};\n`],
    [FAMILY_LIST, /registerValueKind\(/.test(families) ? families : families.replace(KIND_IMPORT, "")],
  ]);
}

const textOf = (file: string): string => readFileSync(join(repositoryRoot, file), "utf8");

const isTest = (file: string): boolean => /^(test|bench|examples)\//.test(file);

const dependenciesOf = (file: string): string[] => [...importsOf(file), ...startedBy(file)];

/** Returns the long names of the options of faces. */
function optionsOf(faces: readonly (readonly [name: string, folder: string])[]): string[] {
  const names = new Set(faces.map(([name]) => name));
  return Object.values<OptionRow>(OPTIONS)
    .filter(({ face = "" }) => names.has(face))
    .map(nameOf);
}

/** Returns the folders, and those that import them, directly or indirectly. */
function withImporters(folders: readonly string[]): string[] {
  const found = new Set(folders);
  const isFound = (file: string) => [...found].some((folder) => file.startsWith(`${folder}/`));
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const folder of FOLDERS) {
      const files = [...texts.keys()].filter((file) => file.startsWith(`${folder}/`));
      if (files.some((file) => dependenciesOf(file).some(isFound))) found.add(folder);
    }
  }
  return [...found];
}

/** Returns the tests that import a removed file, directly or indirectly, or name an option of a removed face. */
function dependentsOf(tests: readonly string[], isRemoved: (file: string) => boolean): string[] {
  const names = optionsOf([...LISTED].filter(([, folder]) => isRemoved(`${folder}/face.ts`)));
  const option = new RegExp(`"--(?:${names.join("|")})[" ]`);
  const isUser = (file: string) => names.length > 0 && option.test(texts.get(file) ?? "");
  const found = new Set(tests.filter((file) => /\.test\.ts$/.test(file) && isUser(file)));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const file of tests)
      if (!found.has(file) && dependenciesOf(file).some((one) => isRemoved(one) || found.has(one)))
        found.add(file);
  }
  return [...found];
}
