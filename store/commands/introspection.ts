/** COMMAND and its subcommands: the table, told by itself. Source: redis-server 7.0, test/conformance. */
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, bulks, integer, NIL_ARRAY, type Reply, set, status } from "../../protocol/reply.js";
import { type Command, type CommandTable, categoriesOf, family } from "../command.js";
import { custom, syntaxError } from "../errors.js";
import { none, touchesOf } from "../key-spec.js";

/** @param table  that these rows stand in themselves: not yet complete when they are made */
export const introspection = (table: CommandTable): readonly Command[] =>
  family("server", {
    COMMAND: {
      arity: -1,
      flags: ["loading", "stale"],
      keys: none,
      since: "2.8.13",
      complexity: "O(N), N: commands",
      categories: ["connection"],
      summary: "What is known of every command.",
      run: () => array(topLevel(table).map((command) => commandReply(table, command))),
    },
    "COMMAND|COUNT": {
      arity: 2,
      flags: ["loading", "stale"],
      keys: none,
      since: "2.8.13",
      complexity: "O(1)",
      categories: ["connection"],
      summary: "How many commands there are.",
      run: () => integer(topLevel(table).length),
    },
    "COMMAND|GETKEYS": {
      arity: -4,
      flags: ["loading", "stale"],
      keys: none,
      since: "2.8.13",
      complexity: "O(N), N: arguments",
      categories: ["connection"],
      summary: "The keys in a command's arguments.",
      run: (_, argv) => getkeys(table, argv),
    },
    "COMMAND|INFO": {
      arity: -2,
      flags: ["loading", "stale"],
      keys: none,
      since: "2.8.13",
      complexity: "O(N), N: names",
      categories: ["connection"],
      summary: "What is known of some commands.",
      run: (_, argv) => array(namesAsked(table, argv).map((name) => infoReply(table, name))),
    },
    "COMMAND|LIST": {
      arity: -2,
      flags: ["loading", "stale"],
      keys: none,
      since: "7.0.0",
      complexity: "O(N), N: commands",
      categories: ["connection"],
      summary: "The names of all commands.",
      run: (_, argv) => list(table, argv),
    },
  });

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
  return command === undefined ? NIL_ARRAY : commandReply(table, command);
}

/** As Redis's COMMAND says it: name, arity, flags, first key, last key, step, categories, and three lists we leave empty. */
function commandReply(table: CommandTable, command: Command): Reply {
  const { arity, flags, keys, name } = command;
  const ranges = typeof keys === "function" ? [] : keys;
  const [first, last, step] = command.places ?? [
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
    array([]),
    array([]),
    array(subcommands.map((subcommand) => commandReply(table, subcommand))),
  ]);
}

function list(table: CommandTable, argv: readonly ByteString[]): Reply {
  if (argv.length > 2) throw syntaxError();
  return bulks(topLevel(table).map(lowerName));
}

function getkeys(table: CommandTable, argv: readonly ByteString[]): Reply {
  const command = table.find(argv[2]!);
  if (command === undefined) throw custom("ERR Invalid command specified");
  const called = argv.slice(2);
  const { arity } = command;
  if (arity >= 0 ? called.length !== arity : called.length < -arity) {
    throw custom("ERR Invalid number of arguments specified for command");
  }
  const keys = touchesOf(command.keys, called).flatMap(({ key }) => (key === null ? [] : [key]));
  if (keys.length === 0) throw custom("ERR The command has no key arguments");
  return bulks(keys);
}
