/**
 * The families of commands that belong to a face: those whose code this build contains, and what needs the code of one
 * that it does not contain. Such a build knows the rows of all commands, but runs no command without its code, and
 * never folds an entry that needs it.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { PAST_COMMAND_AT } from "./commands/timeline.js";
import { COMMAND_FAMILIES, type CommandFamily, type FamilyName } from "./rows/command-families.js";
import type { Command } from "./rows/command-row.js";
import type { ValueForm, ValueKind } from "./values/object-value.js";
import { registerValueKind } from "./values/value-kinds.js";

/** The code of a family. */
export interface FamilyCode {
  /** All rows of the family, with their functions. */
  readonly rows: readonly Command[];
  /** The kinds of its values; default: none. */
  readonly kinds?: readonly ValueKind[];
}

/** A face, as far as its families are concerned; their names are those in `FAMILY_ROWS`. */
export interface FaceFamilies {
  readonly families?: Readonly<Record<string, FamilyCode>>;
}

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

/** The families whose code this build does not contain, by the first words of their commands in upper case. */
let missing: ReadonlyMap<ByteString, CommandFamily> = byFirstWord(COMMAND_FAMILIES);

/** Adds the code of the families of faces. Each program that runs commands calls this once, at its start. */
export function installFamilies(faces: readonly FaceFamilies[]): void {
  for (const { families = {} } of faces)
    for (const [name, { rows, kinds = [] }] of Object.entries(families)) {
      COMMAND_FAMILIES.find((family) => family.name === name)?.install(rows);
      for (const kind of kinds) registerValueKind(kind);
    }
  missing = byFirstWord(COMMAND_FAMILIES.filter(({ isInstalled }) => !isInstalled));
}

/**
 * Returns the reason why this build cannot run commands, which names the first of them whose code it does not contain;
 * null if it contains the code of all.
 */
export function missingCode(argvs: readonly Argv[]): string | null {
  if (missing.size === 0) return null;
  for (const argv of argvs) {
    const family = missingFamily(argv);
    if (family !== null) return family.missingText;
  }
  return null;
}

/** Returns the reason why this build cannot read values of a form for which it has no kind. */
export function missingCodeOfForm(form: ValueForm): string {
  return COMMAND_FAMILIES.find(({ name }) => name === FAMILIES_OF_FORMS[form])?.missingText ?? form;
}

/**
 * Returns the family without code of a call, or of the innermost command among its arguments; null if there is none.
 * The rights to a call, and its keys, follow from the rows of the first `LEVELS_MAX` commands in it.
 */
function missingFamily(argv: Argv): CommandFamily | null {
  for (let at = 0, level = 0; level < LEVELS_MAX && at < argv.length; level++) {
    const word = (argv[at] as ByteString).toUpperCase();
    const family = missing.get(word);
    if (family !== undefined) return family;
    at += INNER_COMMANDS.get(`${word}|${argv[at + 1]?.toUpperCase()}`) ?? argv.length;
  }
  return null;
}

function byFirstWord(families: readonly CommandFamily[]): ReadonlyMap<ByteString, CommandFamily> {
  return new Map(
    families.flatMap((family) =>
      family.rows.map(({ name }) => [name.split("|")[0] as ByteString, family] as const),
    ),
  );
}
