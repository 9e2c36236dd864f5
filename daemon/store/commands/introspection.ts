/** COMMAND and its subcommands: replies that describe the command table. Source: redis-server 7.0, test/conformance. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, bulks, integer, map, NIL, type Reply, set, status } from "../../../protocol/reply.js";
import { custom, syntaxError } from "../arguments/command-errors.js";
import { parseInteger } from "../arguments/number-arguments.js";
import type { EffortBudget } from "../keyspace/effort-budget.js";
import { globMatches, lowerPattern } from "../patterns/glob.js";
import { type Command, type CommandTable, categoriesOf, family, type Row } from "../rows/command-row.js";
import { at, type FoundKeys, type KeySearch, type KeysBegin, range } from "../rows/key-searches.js";
import { type KeyRange, none, permissionFor, type Touch, touchesOf } from "../rows/key-spec.js";
import { HELP_SUMMARY, helpLines } from "../rows/listener-rows.js";

/** @param table the table that will contain these rows; it is incomplete when this function is called */
export const introspection = (table: CommandTable): readonly Command[] =>
  family("server", {
    COMMAND: {
      arity: -1,
      flags: ["loading", "stale"],
      keys: none,
      since: "2.8.13",
      complexity: "O(N), N: commands",
      categories: ["connection"],
      summary: "Describes every command.",
      tips: ["nondeterministic_output_order"],
      anyMaster: true,
      run: ({ effort }) =>
        array(described(effort, topLevel(table), (command) => commandReply(table, command))),
    },
    "COMMAND|COUNT": {
      arity: 2,
      flags: ["loading", "stale"],
      keys: none,
      since: "2.8.13",
      complexity: "O(1)",
      categories: ["connection"],
      summary: "Counts the commands.",
      run: () => integer(topLevel(table).length),
    },
    "COMMAND|DOCS": {
      arity: -2,
      flags: ["loading", "stale"],
      keys: none,
      since: "7.0.0",
      complexity: "O(N), N: names",
      categories: ["connection"],
      summary: "Returns the documentation of commands: purpose, version and complexity.",
      tips: ["nondeterministic_output_order"],
      run: ({ effort }, argv) => docs(table, argv, effort),
    },
    "COMMAND|GETKEYS": {
      arity: -4,
      flags: ["loading", "stale"],
      keys: none,
      since: "2.8.13",
      complexity: "O(N), N: arguments",
      categories: ["connection"],
      summary: "Returns the keys in a command's arguments.",
      run: (_, argv) => getkeys(table, argv),
    },
    "COMMAND|GETKEYSANDFLAGS": {
      arity: -4,
      flags: ["loading", "stale"],
      keys: none,
      since: "7.0.0",
      complexity: "O(N), N: arguments",
      categories: ["connection"],
      summary: "Returns the keys in a command's arguments, each with its access flags.",
      run: (_, argv) => getkeysAndFlags(table, argv),
    },
    "COMMAND|HELP": {
      ...helpOf(table, "COMMAND"),
      since: "5.0.0",
      categories: ["connection"],
    },
    "COMMAND|INFO": {
      arity: -2,
      flags: ["loading", "stale"],
      keys: none,
      since: "2.8.13",
      complexity: "O(N), N: names",
      categories: ["connection"],
      summary: "Describes some commands.",
      tips: ["nondeterministic_output_order"],
      run: ({ effort }, argv) =>
        array(described(effort, namesAsked(table, argv), (name) => infoReply(table, name))),
    },
    "COMMAND|LIST": {
      arity: -2,
      flags: ["loading", "stale"],
      keys: none,
      since: "7.0.0",
      complexity: "O(N), N: commands",
      categories: ["connection"],
      summary: "Returns the names of all commands.",
      tips: ["nondeterministic_output_order"],
      run: (_, argv) => list(table, argv),
    },
    "MEMORY|HELP": helpOf(table, "MEMORY"),
  });

/** Returns the HELP of a command whose subcommands belong to several families, built from their rows. */
function helpOf(table: CommandTable, container: string): Row {
  const names = () =>
    table
      .all()
      .filter(({ name }) => name.startsWith(`${container}|`))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    arity: 2,
    flags: ["loading", "stale"],
    keys: none,
    since: "4.0.0",
    complexity: "O(1)",
    summary: HELP_SUMMARY,
    run: () => array(helpLines(container, names()).map((line) => status(line))),
  };
}

/** Cost in steps of each command that is described, in addition to that of the reply's items. */
const DESCRIBED_STEPS = 200;

/** Returns descriptions and counts the cost of creating them. @throws BudgetExceeded */
function described<Named, Description>(
  effort: EffortBudget,
  commands: readonly Named[],
  describe: (command: Named) => Description,
): readonly Description[] {
  effort.work(DESCRIBED_STEPS * commands.length);
  return commands.map(describe);
}

function topLevel(table: CommandTable): Command[] {
  return table.all().filter((command) => !command.name.includes("|"));
}

function namesAsked(table: CommandTable, argv: readonly ByteString[]): ByteString[] {
  return argv.length > 2 ? argv.slice(2) : topLevel(table).map(lowerName);
}

function lowerName(command: Command): string {
  return command.name.toLowerCase();
}

function infoReply(table: CommandTable, name: ByteString): Reply {
  const command = table.find(name);
  return command === undefined ? NIL : commandReply(table, command);
}

/**
 * Returns a command in the format of Redis's COMMAND: name, arity, flags, first key, last key, step, categories, tips,
 * keys, subcommands.
 */
function commandReply(table: CommandTable, command: Command): Reply {
  const { arity, flags, keys, name } = command;
  const ranges = typeof keys === "function" ? [] : keys;
  const [first, last, step] = command.keyRange ?? [
    ranges[0]?.first ?? 0,
    ranges.at(-1)?.last ?? 0,
    ranges[0]?.step ?? 0,
  ];
  const categories = categoriesOf(command).map((category) => `@${category}`);
  const subcommands = table.all().filter((other) => other.name.startsWith(`${name}|`));
  return array([
    bulk(lowerName(command)),
    integer(arity),
    set(flags.map(status)),
    integer(first),
    integer(last),
    integer(step),
    set(categories.map(status)),
    set(command.tips.map(bulk)),
    set(keyHints(command).map(keyHintReply)),
    set(subcommands.map((subcommand) => commandReply(table, subcommand))),
  ]);
}

function keyHintReply({ flags, begin, found }: KeyHint): Reply {
  return map([
    ...[bulk("flags"), set(flags.map(status))],
    ...[bulk("begin_search"), typedReply(begin)],
    ...[bulk("find_keys"), typedReply(found)],
  ]);
}

/** Returns a map with the type and, as `spec`, all other properties. */
function typedReply({ type, ...spec }: KeyHint["begin"] | KeyHint["found"]): Reply {
  const fields = Object.entries<string | number>(spec).flatMap(([name, value]) => [
    bulk(name),
    typeof value === "number" ? integer(value) : bulk(value),
  ]);
  return map([bulk("type"), bulk(type), bulk("spec"), map(fields)]);
}

function list(table: CommandTable, argv: readonly ByteString[]): Reply {
  if (argv.length === 2) return bulks(table.all().map(lowerName));
  const [, , filterBy = "", kind = "", value = ""] = argv;
  if (argv.length !== 5 || filterBy.toUpperCase() !== "FILTERBY") throw syntaxError();
  const filter = filterOf(kind.toUpperCase(), value);
  return bulks(table.all().filter(filter).map(lowerName));
}

/** @throws CommandFailure */
function filterOf(kind: string, value: string): (command: Command) => boolean {
  if (kind === "ACLCAT") return (command) => categoriesOf(command).includes(value.toLowerCase());
  if (kind === "PATTERN") {
    const pattern = lowerPattern(value);
    return (command) => globMatches(pattern, lowerName(command));
  }
  // No command belongs to a module.
  if (kind === "MODULE") return () => false;
  throw syntaxError();
}

/**
 * Returns the documentation of all commands, or of those named; unknown names are left out. A container includes its
 * subcommands.
 */
function docs(table: CommandTable, argv: readonly ByteString[], effort: EffortBudget): Reply {
  const chosen =
    argv.length === 2 ? topLevel(table) : argv.slice(2).flatMap((name) => table.find(name) ?? []);
  const replies = described(effort, chosen, (command) => [bulk(lowerName(command)), docsOf(table, command)]);
  return map(replies.flat());
}

function docsOf(table: CommandTable, command: Command): Reply {
  const { name, summary, since, group, complexity } = command;
  const fields = Object.entries({ summary, since, group: GROUPS[group] ?? group, complexity });
  const subcommands = table.all().filter((other) => other.name.startsWith(`${name}|`));
  const inside = subcommands.flatMap((one) => [bulk(lowerName(one)), docsOf(table, one)]);
  return map([
    ...fields.flatMap(([field, text]) => [bulk(field), bulk(text)]),
    ...(inside.length === 0 ? [] : [bulk("subcommands"), map(inside)]),
  ]);
}

/** Redis's names of the groups that have another name here, because our groups are named after the ACL categories. */
const GROUPS: Readonly<Record<string, string>> = {
  keyspace: "generic",
  sortedset: "sorted-set",
  transaction: "transactions",
};

function getkeys(table: CommandTable, argv: readonly ByteString[]): Reply {
  return bulks(keysOfCall(table, argv).map(({ key }) => key));
}

function getkeysAndFlags(table: CommandTable, argv: readonly ByteString[]): Reply {
  return array(keysOfCall(table, argv).map(({ key, flags }) => array([bulk(key), set(flags.map(status))])));
}

/**
 * Returns the keys of a call; only scripts may be called without keys.
 * @throws CommandFailure if the command is unknown, has no keys, or the wrong number of arguments or keys
 */
function keysOfCall(table: CommandTable, argv: readonly ByteString[]): readonly KeyUse[] {
  const called = argv.slice(2);
  const command = commandCalled(table, called);
  if (command === undefined) throw custom("ERR Invalid command specified");

  const { arity, keys } = command;
  if (typeof keys !== "function" && keys.length === 0) throw custom("ERR The command has no key arguments");
  if (arity >= 0 ? called.length !== arity : called.length < -arity) {
    throw custom("ERR Invalid number of arguments specified for command");
  }

  const keyUse = hasKeyCount(command, called) ? keyUses(command, called) : [];
  if (keyUse.length > 0 || command.group === "scripting") return keyUse;

  throw custom(
    keyHints(command).length === 0
      ? "ERR The command has no key arguments"
      : "ERR Invalid arguments specified for command",
  );
}

/** Whether the number of keys that a call states, if there is one, is positive, and the call has as many arguments. */
function hasKeyCount({ keySearches = [] }: Command, called: readonly ByteString[]): boolean {
  return keySearches.every(([begin, found]) => {
    if (begin.type !== "index" || found.type !== "keynum") return true;
    const count = parseInteger(called[begin.index + found.keynumidx] ?? "");
    const last = begin.index + found.firstkey + (Number(count) - 1) * found.keystep;
    return count !== undefined && count > 0 && last < called.length;
  });
}

/** Returns the command that the arguments call; a subcommand has two words. */
function commandCalled(
  table: CommandTable,
  [name = "", subcommand]: readonly ByteString[],
): Command | undefined {
  if (name.includes("|")) return undefined;
  const container = `${name.toUpperCase()}|`;
  const hasSubcommands = table.all().some((command) => command.name.startsWith(container));
  return table.find(hasSubcommands && subcommand !== undefined ? `${name}|${subcommand}` : name);
}

interface KeyHint {
  readonly flags: readonly string[];
  readonly begin: KeysBegin;
  readonly found: FoundKeys;
}

/**
 * Returns a hint for each group of keys in a command's row: how they are used, in Redis's words, and how their indexes
 * are found. Most of it follows from the row; rows list the exceptions. Source: redis-server 7.0,
 * test/conformance/command-table.test.ts.
 */
function keyHints({ keys, keyFlags, keySearches }: Command): readonly KeyHint[] {
  const ranges = typeof keys === "function" ? [] : keys;
  const searches = keySearches ?? ranges.map(searchOf);
  return searches.map(([begin, found], i) => ({
    flags: keyFlags?.[i]?.split(" ") ?? derived(ranges[i]),
    begin,
    found,
  }));
}

function searchOf({ first, last, step }: KeyRange): KeySearch {
  return [at(first), range(last < 0 ? last : last - first, step)];
}

/** A key that a call names, and how it is used. */
interface KeyUse {
  readonly key: ByteString;
  readonly flags: readonly string[];
}

/**
 * Returns the keys of a call in the order of the row. Flags that depend on the arguments follow from the permission.
 * @param argv the arguments of the call
 */
function keyUses({ keys, keyFlags }: Command, argv: readonly ByteString[]): readonly KeyUse[] {
  const varies = keyFlags?.[0]?.includes("variable_flags") ?? false;
  if (typeof keys !== "function")
    return keys.flatMap((group, i) => usesOf(touchesOf([group], argv), keyFlags?.[i]));
  return usesOf(touchesOf(keys, argv), varies || keyFlags?.length !== 1 ? undefined : keyFlags[0]);
}

/** @param flags the flags of all keys; undefined if they follow from the permissions */
function usesOf(touches: readonly Touch[], flags: string | undefined): readonly KeyUse[] {
  return touches.flatMap((touch) =>
    touch.key === null ? [] : [{ key: touch.key, flags: flags?.split(" ") ?? derived(touch) }],
  );
}

/**
 * Returns the flags that follow from the permission: `access` if a key's data are returned, `update` if they may be
 * changed.
 */
function derived(use: KeyRange | Touch | undefined): readonly string[] {
  if (use === undefined) return [];
  const answers = permissionFor({ db: null, key: null, ...use }).includes("R");
  if (use.access === "read") return answers ? ["RO", "access"] : ["RO"];
  return answers ? ["RW", "access", "update"] : ["OW", "update"];
}
