/**
 * A command: one row of its family's table. Dispatch, arity errors, COMMAND, permission, routing, the keys a command touches and the
 * documentation all read the same row.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Data } from "../keyspace/mutators.js";
import type { Unit } from "../keyspace/unit.js";
import type { KeySpec } from "./key-spec.js";
import { isLinear, isQuery } from "./linear-commands.js";
import { type LookedUp, lookedUpBy } from "./looked-up.js";

/** Redis's own words. `write` xor `readonly` says whether a command is recorded; one with neither touches no data. */
export type Flag =
  | "write"
  | "readonly"
  | "fast"
  | "denyoom"
  | "admin"
  | "noscript"
  | "loading"
  | "stale"
  | "blocking"
  | "no_auth"
  | "no_multi"
  | "movablekeys"
  | "pubsub";

/**
 * Runs a command whose arity has been checked.
 * @param argv  the command's name first
 * @returns the reply; never an error: those are thrown, before the first mutator
 * @throws CommandFailure
 */
export type Handler = (data: Data, argv: readonly ByteString[], unit: Unit) => Reply;

/** The documentation of a command. */
export interface CommandDescription {
  /** The number of arguments with the name; negative: the minimum. */
  readonly arity: number;
  readonly summary: string;
  readonly complexity: string;
}

export interface Row extends CommandDescription {
  readonly flags: readonly Flag[];
  readonly keys: KeySpec;
  /** Whether `keys` may name keys of databases other than the unit's that it writes. */
  readonly writesElsewhere?: boolean;
  /** First key, last key and step for COMMAND, where `keys` is a function and yet some keys have regular indexes. */
  readonly places?: readonly [first: number, last: number, step: number];
  /** Redis version that introduced it. */
  readonly since: string;
  /**
   * Returns the name of another row that a call belongs to by its arguments; null: it belongs to this one. Decided from their bytes alone.
   */
  readonly otherRow?: (argv: readonly ByteString[]) => string | null;
  /** ACL categories besides those that family and flags give. */
  readonly categories?: readonly string[];
  readonly run: Handler;
}

export interface Command extends Row {
  /** Upper case; a subcommand's is `CONTAINER|NAME`. */
  readonly name: string;
  /** The family's name, also its ACL category (of the server there is none). */
  readonly group: string;
  /** Whether its flags say `write`. */
  readonly writes: boolean;
  readonly writesElsewhere: boolean;
  /** Whether they say `readonly`. */
  readonly reads: boolean;
  /** Keys that it looks for to read although it writes; null: none. */
  readonly lookedUp: LookedUp | null;
  /** Whether it does no more than its arguments are long, so that budgets do not count it. */
  readonly isLinear: boolean;
  /** Whether it is a query of any length over many keys, which budgets bound wherever it cannot yield. */
  readonly isQuery: boolean;
}

/** All commands, for code that cannot import them: rows that describe the table, rules that name commands. */
export interface CommandTable {
  all(): readonly Command[];
  /** Finds a command by name in any case; a subcommand as `CONTAINER|NAME`. */
  find(name: string): Command | undefined;
}

/** A family's rows, named. Keys are upper-case command names in the order of the documentation. */
export function family(group: string, rows: Readonly<Record<string, Row>>): readonly Command[] {
  return Object.entries(rows).map(([name, row]) => {
    // All of one shape, which is looked at for each request.
    const { arity, flags, keys, run, since, summary, complexity, writesElsewhere = false, ...rest } = row;
    const writes = flags.includes("write");
    const does = {
      writes,
      isLinear: isLinear(name, writes),
      isQuery: isQuery(name),
      reads: flags.includes("readonly"),
      writesElsewhere,
      lookedUp: lookedUpBy(name),
    };
    return { name, group, arity, flags, keys, run, ...does, since, summary, complexity, ...rest };
  });
}

const categories = new WeakMap<Command, readonly string[]>();

/** The ACL categories of a command, without the `@`; they are asked for for each command of each rule. */
export function categoriesOf(command: Command): readonly string[] {
  let known = categories.get(command);
  if (known === undefined) categories.set(command, (known = categoriesFound(command)));
  return known;
}

function categoriesFound(command: Command): readonly string[] {
  const found = new Set(command.categories);
  if (command.group !== "server") found.add(command.group);
  if (command.flags.includes("write")) found.add("write");
  // As in Redis: whether a script reads depends on its commands.
  if (command.flags.includes("readonly") && command.group !== "scripting") found.add("read");
  if (command.flags.includes("admin")) found.add("admin").add("dangerous");
  found.add(command.flags.includes("fast") ? "fast" : "slow");
  return [...found].sort();
}
