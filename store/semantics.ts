/**
 * The semantics of commands, by number: a table of all commands each. The key ring says which of those that a release knows applies to a
 * unit (CLUSTER SEMANTICS).
 * Source: docs/decisions/0044-what-commands-mean-is-numbered.md.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { CommandFailure } from "./arguments/errors.js";
import { commands, commandTable } from "./command-table.js";
import { laterCollections, recordedCollections } from "./commands/collections/mdb.js";
import { recordedDocuments } from "./commands/documents/documents.js";
import { relationsBy } from "./commands/relations/sql.js";
import { isKeyCommand } from "./key-command.js";
import { PRODUCED_MAX } from "./keyspace/effort.js";
import type { Command } from "./rows/command.js";
import { CommandIndex } from "./rows/command-index.js";
import { connectionMistake } from "./rows/connection-commands.js";

/** The semantics before any CLUSTER SEMANTICS. */
export const FIRST_SEMANTICS = 1;
/**
 * The semantics from which on English SQL that writes has `in`, `like`, `between`, `default` and the other words of docs/sql.md, and
 * collections have `dialect: 2`, indexes that expire documents and MDB.RENAME.
 */
const EXTENDED_QUERY_SEMANTICS = 3;
/** The semantics from which on a unit's product is limited. Source: docs/decisions/0047-budgets-count-what-is-produced.md. */
const BOUNDED_SEMANTICS = 2;

export class Semantics {
  /** Rising, without a gap. */
  readonly numbers: readonly number[];
  /** The tables in the order of their numbers. */
  readonly tables: readonly CommandIndex[];
  /** Rows that may be in an envelope with any other rows, and for which every table agrees on whether a call writes. */
  readonly ordinary: ReadonlySet<Command>;
  /**
   * Whether the tables find the same commands for a call, which touch the same keys, but for some that only later ones know: what the newest
   * says of a unit's kind and keys holds for all.
   */
  readonly isAlike: boolean;
  readonly #byNumber: ReadonlyMap<number, CommandIndex>;

  /** @throws Error  tables that the fold could not change between */
  constructor(tables: Readonly<Record<number, CommandIndex>>) {
    this.#byNumber = new Map(Object.entries(tables).map(([number, table]) => [Number(number), table]));
    this.numbers = [...this.#byNumber.keys()].sort((a, b) => a - b);
    this.tables = this.numbers.map((number) => this.#byNumber.get(number) as CommandIndex);
    for (const [i, after] of this.tables.entries()) {
      if (i === 0) continue;
      if (this.numbers[i] !== (this.numbers[i - 1] as number) + 1) throw new Error("a number is left out");
      checkSuccessor(this.tables[i - 1] as CommandIndex, after);
    }
    this.isAlike = this.tables.every((table) => isShapedAlike(table, this.newest));
    const rows = this.tables.flatMap((table) => table.all());
    this.ordinary = new Set(rows.filter((command) => isOrdinary(command, this.tables)));
  }

  /** null: this release does not know what commands mean by that number. */
  table(number: number): CommandIndex | null {
    return this.#byNumber.get(number) ?? null;
  }

  /** The newest of the known tables. */
  get newest(): CommandIndex {
    return this.tables.at(-1) as CommandIndex;
  }

  /** The rows that a call has by any of the numbers, the oldest first; none, where no table knows it. */
  rowsOf(argv: readonly ByteString[]): readonly Command[] {
    const rows: Command[] = [];
    for (const table of this.tables) {
      const row = table.resolve(argv);
      if (!(row instanceof CommandFailure) && !rows.includes(row)) rows.push(row);
    }
    return rows;
  }
}

/** Checks that what is recorded, and what rules may name, does not depend on the number. */
function checkSuccessor(before: CommandIndex, after: CommandIndex): void {
  for (const old of before.all()) {
    const row = after.find(old.name);
    if (row === undefined) throw new Error(`${old.name} is gone: let it be answered by an error instead`);
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
  // A subcommand, or one more row for some arguments, would change how other calls are found.
  return (
    table.all().every(isAlike) && added.every((row) => !row.name.includes("|") && row.otherRow === undefined)
  );
}

/**
 * Returns the row that a command found in `commandTable` has in another table. A command that is in no table, such as the outlook of
 * XREADGROUP, means the same by each of them, and so does one that only reads and came later: reads alone are not recorded.
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

/** Returns the row of a command that is executed and not recorded: one that only reads is there although the table does not have it. */
export function readRow(table: CommandIndex, argv: readonly ByteString[]): Command | CommandFailure {
  const row = table.resolve(argv);
  if (!(row instanceof CommandFailure)) return row;
  const newest = commandTable.resolve(argv);
  return newest instanceof CommandFailure || newest.writes ? row : newest;
}

function isOrdinary(command: Command, tables: readonly CommandIndex[]): boolean {
  const words = command.name.split("|");
  if (connectionMistake(words) !== null || isKeyCommand(words)) return false;
  // Which row it is depends on the arguments: valid only if all tables find the same.
  return command.otherRow === undefined || tables.every((table) => table.find(command.name) === command);
}

/** Returns the rows before the newest table's; some of them differ from today's. */
function rowsWith(others: readonly Command[]): readonly Command[] {
  const byName = new Map([...recordedCollections, ...others].map((row) => [row.name, row]));
  return commands.filter(({ name }) => !laterCollections.has(name)).map((row) => byName.get(row.name) ?? row);
}

/** The semantics before CLUSTER SEMANTICS 2. */
export const firstTable = new CommandIndex(
  rowsWith([...relationsBy(1), ...recordedDocuments]),
  Number.POSITIVE_INFINITY,
  laterCollections,
);

/** The semantics from CLUSTER SEMANTICS 2 on: no unit produces more than `PRODUCED_MAX` steps, wherever it is folded. */
const boundedTable = new CommandIndex(rowsWith(relationsBy(2)), PRODUCED_MAX, laterCollections);

/** The semantics from CLUSTER SEMANTICS 3 on. */
const extendedQueryTable = new CommandIndex(commands, PRODUCED_MAX);

/** The semantics that this release knows. */
export const SEMANTICS = new Semantics({
  [FIRST_SEMANTICS]: firstTable,
  [BOUNDED_SEMANTICS]: boundedTable,
  [EXTENDED_QUERY_SEMANTICS]: extendedQueryTable,
});
