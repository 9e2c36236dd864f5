/** A table of all commands, and how a call finds its row: by name in any case, subcommand, arity and arguments. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type CommandFailure, unknownCommand, unknownSubcommand, wrongArity } from "../arguments/errors.js";
import type { Command, CommandTable } from "./command.js";

/** Containers that Redis does not have: an unknown subcommand's error lists their subcommands, because they have no HELP. */
const OWN_CONTAINERS = ["KEY", "TIMELINE", "DBSYNC", "DOC.INDEX", "DOC.MEMBER"];

export class CommandIndex implements CommandTable {
  readonly #commands: readonly Command[];
  /** Commands by upper-case and by lower-case name, so that the usual spellings need no conversion. */
  readonly #byName = new Map<string, Command>();
  /** Names of the commands that have subcommands. */
  readonly #containers = new Set<string>();
  /** Commands without subcommands and with a single row, by the same names: the most frequent ones. */
  readonly #simple = new Map<string, Command>();
  readonly #ownSubcommands: ReadonlyMap<string, readonly string[]>;

  readonly #later: ReadonlyMap<string, CommandFailure>;

  /**
   * @param producedMax  steps that a unit may produce wherever it is folded
   * @param later  what is answered for commands, by their names, that are in later tables alone: as unknown ones
   */
  constructor(
    commands: readonly Command[],
    readonly producedMax = Number.POSITIVE_INFINITY,
    later: ReadonlyMap<string, CommandFailure> = new Map(),
  ) {
    this.#later = later;
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
    this.#ownSubcommands = new Map(
      OWN_CONTAINERS.map((container) => [container, this.#subcommandsOf(container)]),
    );
  }

  all(): readonly Command[] {
    return this.#commands;
  }

  /** A command by its name in any case, a subcommand as `CONTAINER|NAME`. */
  find(name: string): Command | undefined {
    return this.#byName.get(name) ?? this.#byName.get(name.toUpperCase());
  }

  /** Whether a row is one of the table. */
  has(row: Command): boolean {
    return this.#byName.get(row.name) === row;
  }

  /** The command that arguments call, or why there is none: unknown, or too few or too many arguments. */
  resolve(argv: readonly ByteString[]): Command | CommandFailure {
    const name = argv[0] ?? "";
    const usual = this.#simple.get(name);
    if (usual !== undefined && hasArity(usual, argv.length)) return usual;
    // The names of subcommands are ours: none is called in one word.
    let command = name.includes("|") ? undefined : this.find(name);
    if (argv.length > 1 && (command === undefined || this.#containers.has(command.name))) {
      const container = name.toUpperCase();
      if (this.#containers.has(container)) {
        const subcommand = argv[1] as ByteString;
        command = this.find(`${container}|${subcommand}`);
        if (command === undefined)
          return unknownSubcommand(container, subcommand, this.#ownSubcommands.get(container));
      }
    }
    if (command === undefined)
      return this.#containers.has(name.toUpperCase())
        ? wrongArity(name.toLowerCase())
        : (this.#later.get(name.toUpperCase()) ?? unknownCommand(argv));
    return hasArity(command, argv.length)
      ? this.#rowOf(command, argv)
      : wrongArity(command.name.toLowerCase());
  }

  /** Whether arguments call a command, or a subcommand of a known one, that only the daemon's Redis may know. */
  isForeign(argv: readonly ByteString[]): boolean {
    const name = (argv[0] ?? "").toUpperCase();
    if (this.#containers.has(name) && argv.length > 1) return this.find(`${name}|${argv[1]}`) === undefined;
    return !this.#containers.has(name) && this.find(name) === undefined;
  }

  /** Whether a call may change data, whatever the number of its arguments; undefined: the table does not know it. */
  mayWrite(argv: readonly ByteString[]): boolean | undefined {
    const [name = "", subcommand = ""] = argv;
    const usual = this.#simple.get(name);
    if (usual !== undefined) return usual.writes;
    const own = this.find(name);
    // A container's own row says nothing of its subcommands.
    const isContainer = own === undefined || this.#containers.has(own.name);
    const command = isContainer ? (this.find(`${name}|${subcommand}`) ?? own) : own;
    return command === undefined ? undefined : this.#rowOf(command, argv).writes;
  }

  /** The row of a call: a command may have another one for some arguments. */
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
