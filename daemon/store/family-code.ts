/**
 * Loads the code of the families of commands that belong to a face, before the first command or entry that needs it:
 * the pipeline, the timeline and the listeners for users wait for `codeFor`. The fold never waits, and never runs a
 * command whose code is missing.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { commands } from "./command-table.js";
import { PAST_COMMAND_AT } from "./commands/timeline.js";
import {
  COMMAND_FAMILIES,
  type CommandFamily,
  type FamilyName,
  type LoadRows,
} from "./rows/command-families.js";
import type { ValueForm } from "./values/object-value.js";

/** How to load the code of families. This program does not contain the code of a family that is missing here. */
export type FamilyLoaders = Readonly<Record<string, LoadRows>>;

type Argv = readonly ByteString[];

/** The families whose code reads values of a form, or null if the core reads them. */
const FAMILIES_OF_FORMS: Readonly<Record<ValueForm, FamilyName | null>> = {
  list: null,
  hash: null,
  set: null,
  zset: null,
  stream: "redis/streams",
  "stream-of-groups": "redis/streams",
  document: "json/documents",
  "document-of-more": "json/documents",
  table: "sql/relations",
  collection: "mongo/collections",
};

/** The subcommands with another command among their arguments, and the index of its name. */
export const INNER_COMMANDS: ReadonlyMap<string, number> = new Map([
  ["ACL|DRYRUN", 3],
  ["COMMAND|GETKEYS", 2],
  ["COMMAND|GETKEYSANDFLAGS", 2],
  ["KEY|DRYRUN", 3],
  ["TIMELINE|GET", PAST_COMMAND_AT],
]);
/**
 * The maximum number of commands, each among the arguments of the one before, of which rows are used, as in KEY DRYRUN
 * id TIMELINE GET 0 TIMELINE GET 0 SQL_RO. The answer to a call with more of them does not depend on the others.
 */
const LEVELS_MAX = 4;
const CONTAINERS: ReadonlySet<string> = new Set([...INNER_COMMANDS.keys()].map(firstWord));

/**
 * The family of each command by its first word, in upper and lower case; null for those of the core without inner
 * commands. It contains the usual spellings only.
 */
const usual = new Map<ByteString, CommandFamily | null>();
/** The families of commands of faces, by their first words in upper case. */
const late = new Map<ByteString, CommandFamily>();
for (const family of COMMAND_FAMILIES) for (const { name } of family.rows) late.set(firstWord(name), family);
for (const { name } of commands) {
  const word = firstWord(name);
  if (CONTAINERS.has(word)) continue;
  for (const spelling of [word, word.toLowerCase()]) usual.set(spelling, late.get(word) ?? null);
}

let loaders: FamilyLoaders = {};
/** The families that are not loaded. */
let missing: readonly CommandFamily[] = COMMAND_FAMILIES;
/** Resolves when the families that are being loaded are loaded, or cannot be loaded; null if none is being loaded. */
let loading: Promise<void> | null = null;
/** The reason why the first of the families that could not be loaded could not. */
let failure: string | null = null;

/** Sets how to load the code. Each program that runs commands calls this once, at its start. */
export function provideFamilies(provided: FamilyLoaders): void {
  loaders = provided;
}

/**
 * The reason why this daemon can apply no more entries, because code cannot be loaded; null if there is none. A new
 * start is necessary.
 */
export function missingCode(): string | null {
  return failure;
}

/**
 * Begins to load the code that commands need.
 * @returns null if it is loaded; the reason why it cannot be loaded; or a promise, after which the caller tries again.
 *   Callers continue in the order in which they began to wait.
 */
export function codeFor(argvs: readonly Argv[]): Promise<void> | string | null {
  if (missing.length === 0 && loading === null) return null;
  for (const argv of argvs) {
    const family = familyOf(argv);
    const reason = family === null || family.isLoaded ? null : begin(family);
    if (reason !== null) return reason;
  }
  return loading;
}

/** Begins to load a family. @returns the reason why it cannot be loaded, or null */
function begin(family: CommandFamily): string | null {
  if (family.failure !== null) return family.failure;
  const loader = loaders[family.name];
  if (loader === undefined) return family.failureOf("this program does not contain it");
  loading = allOf(loading, load(family, loader));
  return null;
}

/** Does the same as `codeFor` for commands that are recorded, which this daemon has to apply: see `missingCode`. */
export function codeForRecorded(argvs: readonly Argv[]): Promise<void> | string | null {
  const code = codeFor(argvs);
  if (typeof code === "string") failure ??= code;
  return code;
}

/** Does the same as `codeForRecorded` for the code that reads values of a form from a snapshot. */
export function codeForForm(form: ValueForm): Promise<void> | string | null {
  const family = missing.find(({ name }) => name === FAMILIES_OF_FORMS[form]);
  if (family === undefined) return null;
  const reason = begin(family);
  failure ??= reason;
  return reason ?? loading;
}

/**
 * Loads the code of all families that this program contains, for programs and listeners that run commands of all kinds.
 */
export async function loadFamilies(): Promise<void> {
  for (const family of missing) {
    const loader = loaders[family.name];
    if (loader !== undefined) await load(family, loader);
  }
}

async function load(family: CommandFamily, loader: LoadRows): Promise<void> {
  await family.load(loader);
  failure ??= family.failure;
  missing = missing.filter(({ isLoaded }) => !isLoaded);
}

function allOf(before: Promise<void> | null, added: Promise<void>): Promise<void> {
  const all = Promise.all([before, added]).then(() => {
    if (loading === all) loading = null;
  });
  return all;
}

/**
 * Returns the family of a call, or of the innermost command among its arguments, if its code belongs to a face. The
 * rights to a call, and its keys, follow from the rows of the first `LEVELS_MAX` commands in it.
 */
function familyOf(argv: Argv): CommandFamily | null {
  for (let at = 0, level = 0; level < LEVELS_MAX && at < argv.length; level++) {
    const name = argv[at] as ByteString;
    const known = usual.get(name);
    if (known !== undefined) return known;
    const word = name.toUpperCase();
    if (!CONTAINERS.has(word)) return late.get(word) ?? null;
    at += INNER_COMMANDS.get(`${word}|${argv[at + 1]?.toUpperCase()}`) ?? argv.length;
  }
  return null;
}

function firstWord(name: string): ByteString {
  return name.split("|")[0] as ByteString;
}
