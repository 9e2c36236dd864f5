/**
 * The numbered versions of the commands' meaning. The rows of commands state since which number they apply; the key
 * ring determines which number applies to a unit (CLUSTER SEMANTICS).
 * Source: docs/decisions/0044-the-meaning-of-commands-has-a-version.md.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { CommandFailure } from "./arguments/command-errors.js";
import { commandTable } from "./command-table.js";
import { isKeyCommand } from "./key-command.js";
import { CommandIndex } from "./rows/command-index.js";
import type { Command } from "./rows/command-row.js";

/** The number that applies before any CLUSTER SEMANTICS. */
export const FIRST_SEMANTICS = 1;

export class Semantics {
  /** The newest table: it has every command, with the same keys, kind and shape as in each earlier table. */
  readonly newest: CommandIndex;
  /** Rows that may be combined with any other rows in an envelope. */
  readonly ordinary: ReadonlySet<Command>;
  /** The tables of the numbers from 1 on. */
  readonly #tables: readonly CommandIndex[];

  /** @throws Error if the fold could not change from one table to the next */
  constructor(newest: CommandIndex) {
    this.newest = newest;
    let last = FIRST_SEMANTICS;
    for (const { sinceSemantics = last } of newest.all()) last = Math.max(last, sinceSemantics);
    this.#tables = Array.from({ length: last }, (_, i) =>
      i + 1 === last ? newest : new CommandIndex(rowsAt(newest.all(), i + 1)),
    );
    for (const [i, before] of this.#tables.slice(0, -1).entries())
      checkSuccessor(before, this.#tables[i + 1] as CommandIndex);
    this.ordinary = new Set(this.#tables.flatMap((table) => table.all()).filter(isOrdinary));
  }

  /** The greatest number that this release supports. */
  get last(): number {
    return this.#tables.length;
  }

  /** Returns the table of a number, or null if this release does not support it. */
  table(number: number): CommandIndex | null {
    return this.#tables[number - 1] ?? null;
  }
}

/** Returns the rows that apply under a number. */
function rowsAt(newest: readonly Command[], number: number): Command[] {
  const rows: Command[] = [];
  for (let row of newest) {
    while ((row.sinceSemantics ?? FIRST_SEMANTICS) > number && row.earlier !== undefined)
      row = { ...row, sinceSemantics: FIRST_SEMANTICS, earlier: undefined, ...row.earlier } as Command;
    if ((row.sinceSemantics ?? FIRST_SEMANTICS) <= number) rows.push(row);
  }
  return rows;
}

/**
 * Checks that each call of the earlier table is a call of the same command in the later one, and that the commands of
 * the key ring are the same, because the ring is folded before a unit's number is known.
 */
function checkSuccessor(before: CommandIndex, after: CommandIndex): void {
  for (const row of after.all()) {
    const old = before.find(row.name);
    if (old === row) continue;
    if (isKeyCommand(row.name.split("|")))
      throw new Error(`${row.name} is folded before its number is known`);
    if (old !== undefined && !accepts(row.arity, old.arity))
      throw new Error(`${row.name} does not accept the number of arguments that it accepted before`);
    const [container = ""] = row.name.split("|");
    if (container !== row.name && before.find(container) !== undefined && !isContainer(before, container))
      throw new Error(`${row.name} makes a container of a command: give it another name`);
  }
}

/** Whether an arity permits each number of arguments that another arity permits. */
const accepts = (arity: number, other: number): boolean =>
  arity === other || (arity < 0 && Math.abs(other) >= -arity);

const isContainer = (table: CommandIndex, name: string): boolean =>
  table.all().some((row) => row.name.startsWith(`${name}|`));

function isOrdinary({ name, inEnvelope }: Command): boolean {
  return inEnvelope === undefined && !isKeyCommand(name.split("|"));
}

/**
 * Returns the row that a table has for a command of the newest table. A command that is in no table, such as the
 * preview of XREADGROUP, has the same row under all numbers. A newer command that only reads is available under each
 * number, since reads are not recorded.
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
 * Returns the row of a command that is executed but not recorded: newer commands that only read are available under
 * each number.
 */
export function readRow(table: CommandIndex, argv: readonly ByteString[]): Command | CommandFailure {
  const row = table.resolve(argv);
  if (!(row instanceof CommandFailure)) return row;
  const newest = commandTable.resolve(argv);
  return newest instanceof CommandFailure || newest.writes ? row : newest;
}

/** The numbers that this release supports. */
export const SEMANTICS = new Semantics(commandTable);
