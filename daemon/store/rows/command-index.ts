/**
 * A table of all commands, and how a call finds its row: by name (regardless of upper and lower case), subcommand,
 * arity and arguments.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  type CommandFailure,
  unknownCommand,
  unknownSubcommand,
  wrongArity,
} from "../arguments/command-errors.js";
import type { Command, CommandTable } from "./command-row.js";

export class CommandIndex implements CommandTable {
  readonly #commands: readonly Command[];
  /** Commands by upper-case and lower-case name, so the usual spellings need no conversion. */
  readonly #byName = new Map<string, Command>();
  /** Names of the commands that have subcommands. */
  readonly #containers = new Set<string>();
  /**
   * Commands that have no subcommands and only one row, by upper-case and lower-case name. They include the most
   * frequent commands, so this map is searched first.
   */
  readonly #simple = new Map<string, Command>();
  /** The subcommands of containers without HELP: the error for an unknown subcommand lists them. */
  readonly #withoutHelp: ReadonlyMap<string, readonly string[]>;

  constructor(commands: readonly Command[]) {
    this.#commands = commands;
    for (const command of commands) {
      this.#byName.set(command.name, command);
      this.#byName.set(command.name.toLowerCase(), command);
      const [container, subcommand] = command.name.split("|");
      if (subcommand !== undefined) this.#containers.add(container as string);
    }

    for (const [name, command] of this.#byName)
      if (
        !command.name.includes("|") &&
        !this.#containers.has(command.name) &&
        command.otherRow === undefined
      )
        this.#simple.set(name, command);

    this.#withoutHelp = new Map(
      [...this.#containers]
        .filter((container) => !this.#byName.has(`${container}|HELP`))
        .map((container) => [container, this.#subcommandsOf(container)]),
    );
  }

  all(): readonly Command[] {
    return this.#commands;
  }

  /** Finds a command by its name, regardless of upper and lower case; a subcommand is `CONTAINER|NAME`. */
  find(name: string): Command | undefined {
    return this.#byName.get(name) ?? this.#byName.get(name.toUpperCase());
  }

  /** Whether a row belongs to the table. */
  has(row: Command): boolean {
    return this.#byName.get(row.name) === row;
  }

  /** Returns the command that the arguments call, or an error if it is unknown or has the wrong number of arguments. */
  resolve(argv: readonly ByteString[]): Command | CommandFailure {
    const name = argv[0] ?? "";
    const usual = this.#simple.get(name);
    if (usual !== undefined && hasArity(usual, argv.length)) return usual;

    // The form with `|` is internal: clients cannot call a subcommand by a single word.
    let command = name.includes("|") ? undefined : this.find(name);
    if (argv.length > 1 && (command === undefined || this.#containers.has(command.name))) {
      const container = name.toUpperCase();
      if (this.#containers.has(container)) {
        const subcommand = argv[1] as ByteString;
        command = this.find(`${container}|${subcommand}`);
        if (command === undefined)
          return unknownSubcommand(container, subcommand, this.#withoutHelp.get(container));
      }
    }

    if (command === undefined)
      return this.#containers.has(name.toUpperCase()) ? wrongArity(name.toLowerCase()) : unknownCommand(argv);

    return hasArity(command, argv.length)
      ? this.#rowOf(command, argv)
      : wrongArity(command.name.toLowerCase());
  }

  /**
   * Whether the arguments call a command that is not in the table, or an unknown subcommand of a known command. The
   * daemon's Redis may know the command.
   */
  isForeign(argv: readonly ByteString[]): boolean {
    const name = (argv[0] ?? "").toUpperCase();
    if (this.#containers.has(name) && argv.length > 1) return this.find(`${name}|${argv[1]}`) === undefined;
    return !this.#containers.has(name) && this.find(name) === undefined;
  }

  /**
   * Whether a call may change data, regardless of the number of its arguments; undefined if the command is not in the
   * table.
   */
  mayWrite(argv: readonly ByteString[]): boolean | undefined {
    const [name = "", subcommand = ""] = argv;
    const usual = this.#simple.get(name);
    if (usual !== undefined) return usual.writes;
    const row = this.find(name);
    // The row of a container does not describe its subcommands.
    const isContainer = row === undefined || this.#containers.has(row.name);
    const command = isContainer ? (this.find(`${name}|${subcommand}`) ?? row) : row;
    return command === undefined ? undefined : this.#rowOf(command, argv).writes;
  }

  /** Returns the row of a call: for some arguments a command has another row. */
  #rowOf(command: Command, argv: readonly ByteString[]): Command {
    const other = command.otherRow?.(argv) ?? null;
    return other === null ? command : (this.#byName.get(other) as Command);
  }

  #subcommandsOf(container: string): readonly string[] {
    return this.#commands.flatMap(({ name }) =>
      name.startsWith(`${container}|`) ? [name.slice(container.length + 1)] : [],
    );
  }
}

const hasArity = ({ arity }: Command, length: number): boolean =>
  arity >= 0 ? length === arity : length >= -arity;
