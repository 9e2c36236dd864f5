/**
 * The commands of a future release, for tests: from number 2 on, INCR adds ten, APPEND accepts several values, and
 * TWICE exists.
 */
import "./installed-families.js";
import { CommandFailure } from "../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../daemon/store/command-table.js";
import { CommandIndex } from "../../daemon/store/rows/command-index.js";
import { type Command, family, type Handler } from "../../daemon/store/rows/command-row.js";
import { update } from "../../daemon/store/rows/key-spec.js";
import { Semantics } from "../../daemon/store/semantics.js";

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
  INCR: {
    sinceSemantics: 2,
    earlier: { run: row("INCR").run },
    run: (data, [, key], unit) => again("INCRBY", [key as string, "10"], data, unit),
  },
  APPEND: {
    sinceSemantics: 2,
    earlier: { arity: 3, run: row("APPEND").run },
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
    sinceSemantics: 2,
    complexity: "O(1)",
    summary: "Appends the value of a key to itself.",
    run: (data, [, key], unit) => {
      const value = again("GET", [key as string], data, unit);
      if (value.kind !== "bulk") throw new CommandFailure("ERR nothing to double");
      return again("APPEND", [key as string, value.bytes], data, unit);
    },
  },
});

/** The rows of the next release. */
export const NEXT_COMMANDS: readonly Command[] = [
  ...commandTable
    .all()
    .map((command) => (command.name in changed ? { ...command, ...changed[command.name] } : command)),
  ...added,
];

/** The numbers of an earlier release, which has number 1 only. */
export const EARLIER_SEMANTICS = new Semantics(commandTable);

/** The numbers of the next release. */
export const NEXT_SEMANTICS = new Semantics(new CommandIndex(NEXT_COMMANDS));
