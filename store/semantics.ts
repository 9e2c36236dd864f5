/**
 * The numbered versions of the commands' semantics: each number has a table of all commands. The key ring determines
 * which version applies to a unit (CLUSTER SEMANTICS).
 * Source: docs/decisions/0044-the-meaning-of-commands-has-a-version.md.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { CommandFailure } from "./arguments/command-errors.js";
import { commands, commandTable } from "./command-table.js";
import { laterCollections, recordedCollections } from "./commands/collections/mdb-commands.js";
import { relationsBy } from "./commands/relations/sql-commands.js";
import { isKeyCommand } from "./key-command.js";
import { PRODUCED_MAX } from "./keyspace/effort-budget.js";
import { CommandIndex } from "./rows/command-index.js";
import type { Command } from "./rows/command-row.js";
import { connectionMistake } from "./rows/connection-only-commands.js";

/** The version that applies before any CLUSTER SEMANTICS. */
export const FIRST_SEMANTICS = 1;
/**
 * The version that adds `in`, `like`, `between`, `default` and the other words of docs/sql.md to English SQL that
 * writes, and `dialect: 2`, indexes that expire documents and MDB.RENAME to collections.
 */
export const EXTENDED_QUERY_SEMANTICS = 3;
/**
 * The version that limits how much a unit may produce. Source:
 * docs/decisions/0047-budgets-limit-the-output-of-a-unit.md.
 */
const BOUNDED_SEMANTICS = 2;

export class Semantics {
  /** The numbers of the versions, ascending, without gaps. */
  readonly numbers: readonly number[];
  /** The tables, in the order of their numbers. */
  readonly tables: readonly CommandIndex[];
  /**
   * Rows that may be combined with any other rows in an envelope, and that either write in all tables or in none.
   */
  readonly ordinary: ReadonlySet<Command>;
  /**
   * Whether all tables find the same command for a call, with the same keys, except for commands that only later tables
   * contain. If so, the newest table determines the kind and the keys of a unit for all versions.
   */
  readonly isAlike: boolean;
  readonly #byNumber: ReadonlyMap<number, CommandIndex>;

  /** @throws Error if the fold could not change from one table to the next */
  constructor(tables: Readonly<Record<number, CommandIndex>>) {
    this.#byNumber = new Map(Object.entries(tables).map(([number, table]) => [Number(number), table]));
    this.numbers = [...this.#byNumber.keys()].sort((a, b) => a - b);
    this.tables = this.numbers.map((number) => this.#byNumber.get(number) as CommandIndex);
    for (const [i, after] of this.tables.entries()) {
      if (i === 0) continue;
      if (this.numbers[i] !== (this.numbers[i - 1] as number) + 1) throw new Error("a number is missing");
      checkSuccessor(this.tables[i - 1] as CommandIndex, after);
    }
    this.isAlike = this.tables.every((table) => isShapedAlike(table, this.newest));
    const rows = this.tables.flatMap((table) => table.all());
    this.ordinary = new Set(rows.filter((command) => isOrdinary(command, this.tables)));
  }

  /** Returns the table of a version, or null if this release does not support it. */
  table(number: number): CommandIndex | null {
    return this.#byNumber.get(number) ?? null;
  }

  /** Returns the version of a table. */
  numberOf(table: CommandIndex): number {
    return this.numbers[this.tables.indexOf(table)] ?? FIRST_SEMANTICS;
  }

  /** The newest supported table. */
  get newest(): CommandIndex {
    return this.tables.at(-1) as CommandIndex;
  }

  /** Returns the rows of a call in all versions, the oldest first; empty if no table contains it. */
  rowsOf(argv: readonly ByteString[]): readonly Command[] {
    const rows: Command[] = [];
    for (const table of this.tables) {
      const row = table.resolve(argv);
      if (!(row instanceof CommandFailure) && !rows.includes(row)) rows.push(row);
    }
    return rows;
  }
}

/**
 * Checks that a table has all commands of the previous table, that each of them writes in both tables or in neither,
 * and that the commands of the key ring are the same.
 */
function checkSuccessor(before: CommandIndex, after: CommandIndex): void {
  for (const old of before.all()) {
    const row = after.find(old.name);
    if (row === undefined) throw new Error(`${old.name} is missing: let it return an error instead`);
    if (row.writes !== old.writes || row.otherRow !== old.otherRow)
      throw new Error(`${old.name} writes in one table, and not in the next`);
    const isOfRing = isKeyCommand(old.name.split("|"));
    if (isOfRing && row !== old) throw new Error(`${old.name} is folded before its number is known`);
  }
  if (after.all().some(({ name }) => isKeyCommand(name.split("|")) && before.find(name) === undefined))
    throw new Error("a command of the key ring is in one table alone");
}

function isShapedAlike(table: CommandIndex, newest: CommandIndex): boolean {
  const isAlike = (row: Command) => {
    const other = newest.find(row.name);
    return other?.arity === row.arity && other.keys === row.keys && other.otherRow === row.otherRow;
  };
  const added = newest.all().filter(({ name }) => table.find(name) === undefined);
  // A new subcommand, or a new row that depends on arguments, would change how other calls are resolved.
  return (
    table.all().every(isAlike) && added.every((row) => !row.name.includes("|") && row.otherRow === undefined)
  );
}

/**
 * Returns the row that a table has for a command of `commandTable`. A command that is in no table, such as the preview
 * of XREADGROUP, has the same row in all versions. A newer command that only reads has its row in all versions too,
 * since reads are not recorded.
 */
export function rowIn(
  table: CommandIndex,
  command: Command,
  argv: readonly ByteString[],
): Command | CommandFailure {
  if (table.has(command) || commandTable.find(command.name) !== command) return command;
  const row = table.resolve(argv);
  return row instanceof CommandFailure && !command.writes ? command : row;
}

/**
 * Returns the row of a command that is executed but not recorded: newer commands that only read are available in every
 * version.
 */
export function readRow(table: CommandIndex, argv: readonly ByteString[]): Command | CommandFailure {
  const row = table.resolve(argv);
  if (!(row instanceof CommandFailure)) return row;
  const newest = commandTable.resolve(argv);
  return newest instanceof CommandFailure || newest.writes ? row : newest;
}

function isOrdinary(command: Command, tables: readonly CommandIndex[]): boolean {
  const words = command.name.split("|");
  if (connectionMistake(words) !== null || isKeyCommand(words)) return false;
  // A command whose row depends on the arguments is ordinary only if it is the same in all tables.
  return command.otherRow === undefined || tables.every((table) => table.find(command.name) === command);
}

/**
 * Returns the rows of an older table: the rows of the newest table without the commands that were added later, and with
 * the given rows in place of those of the same name.
 */
function rowsWith(differing: readonly Command[]): readonly Command[] {
  const byName = new Map([...recordedCollections, ...differing].map((row) => [row.name, row]));
  return commands.filter(({ name }) => !laterCollections.has(name)).map((row) => byName.get(row.name) ?? row);
}

/** The version before CLUSTER SEMANTICS 2. */
export const firstTable = new CommandIndex(
  rowsWith(relationsBy(1)),
  Number.POSITIVE_INFINITY,
  laterCollections,
);

/**
 * The version that CLUSTER SEMANTICS 2 introduced: no unit may produce more than `PRODUCED_MAX` steps, wherever it is
 * folded.
 */
const boundedTable = new CommandIndex(rowsWith(relationsBy(2)), PRODUCED_MAX, laterCollections);

/** The version that CLUSTER SEMANTICS 3 introduced. */
const extendedQueryTable = new CommandIndex(commands, PRODUCED_MAX);

/** The versions that this release supports. */
export const SEMANTICS = new Semantics({
  [FIRST_SEMANTICS]: firstTable,
  [BOUNDED_SEMANTICS]: boundedTable,
  [EXTENDED_QUERY_SEMANTICS]: extendedQueryTable,
});
