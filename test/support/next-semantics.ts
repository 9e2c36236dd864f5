/**
 * The semantics of commands in a future release, for tests. INCR adds ten. SETNX also sets a key named by its value
 * (more keys). COPY copies nothing (fewer keys). APPEND accepts several values, and GETDEL requires a further
 * argument (another arity). TWICE is new.
 */
import { integer } from "../../protocol/reply.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { commands, commandTable } from "../../store/command-table.js";
import { CommandIndex } from "../../store/rows/command-index.js";
import { type Command, family, type Handler } from "../../store/rows/command-row.js";
import { read, update, write } from "../../store/rows/key-spec.js";
import { Semantics } from "../../store/semantics.js";

const row = (name: string): Command => {
  const command = commandTable.find(name);
  if (command === undefined) throw new Error(`no ${name}`);
  return command;
};

const again = (
  name: string,
  argv: readonly string[],
  ...rest: [Parameters<Handler>[0], Parameters<Handler>[2]]
) => row(name).run(rest[0], [name, ...argv], rest[1]);

const changed: Readonly<Record<string, Partial<Command>>> = {
  INCR: { run: (data, [, key], unit) => again("INCRBY", [key as string, "10"], data, unit) },
  SETNX: {
    keys: [write(1, 2)],
    run: (data, [, key, value], unit) => {
      again("SETNX", [value as string, key as string], data, unit);
      return again("SETNX", [key as string, value as string], data, unit);
    },
  },
  COPY: { keys: [read(1)], run: () => integer(0) },
  GETDEL: { arity: 3, run: (data, [, key], unit) => again("GETDEL", [key as string], data, unit) },
  APPEND: {
    arity: -3,
    run: (data, [, key, ...values], unit) => again("APPEND", [key as string, values.join("")], data, unit),
  },
};

const added = family("string", {
  TWICE: {
    arity: 2,
    flags: ["write"],
    keys: [update(1)],
    since: "",
    complexity: "O(1)",
    summary: "Appends the value of a key to itself.",
    run: (data, [, key], unit) => {
      const value = again("GET", [key as string], data, unit);
      if (value.kind !== "bulk") throw new CommandFailure("ERR nothing to double");
      return again("APPEND", [key as string, value.bytes], data, unit);
    },
  },
});

/** The commands of the next release. */
export const NEXT = new CommandIndex([
  ...commands.map((command) => ({ ...command, ...changed[command.name] }) as Command).map(shareUnchanged),
  ...added,
]);

/** The semantics versions of an earlier release, which has version 1 only. */
export const EARLIER_SEMANTICS = new Semantics({ 1: commandTable });

/** The semantics versions of the next release. */
export const NEXT_SEMANTICS = new Semantics({ 1: commandTable, 2: NEXT });

/** Replaces an unchanged command by the object from the current table, so that both versions share this object. */
function shareUnchanged(command: Command): Command {
  return command.name in changed ? command : row(command.name);
}
