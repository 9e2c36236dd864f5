/** A command that no release has, for tests: INCRBYMAX key increment maximum. */

import "./installed-families.js";
import { custom } from "../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../daemon/store/command-table.js";
import { CommandIndex } from "../../daemon/store/rows/command-index.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import { family } from "../../daemon/store/rows/command-row.js";
import { update } from "../../daemon/store/rows/key-spec.js";
import { Semantics } from "../../daemon/store/semantics.js";

/** The command as its author first writes it: without a number. */
export const INCRBYMAX = family("string", {
  INCRBYMAX: {
    arity: 4,
    flags: ["write", "denyoom"],
    keys: [update(1)],
    since: "",
    complexity: "O(1)",
    summary: "Increments a number, unless it would exceed a maximum.",
    run: (data, [, key = "", increment = "", max = ""], unit) => {
      const row = (name: string) => commandTable.find(name) as Command;
      const value = row("GET").run(data, ["GET", key], unit);
      const number = value.kind === "bulk" ? Number(value.bytes) : 0;
      if (number + Number(increment) > Number(max)) throw custom("ERR the number would exceed the maximum");
      return row("INCRBY").run(data, ["INCRBY", key, increment], unit);
    },
  },
})[0] as Command;

const buildWith = (row: Command) => new Semantics(new CommandIndex([...commandTable.all(), row]));

/** A release with the command from number 2 on. */
export const ONE_COMMAND_MORE = buildWith({ ...INCRBYMAX, sinceSemantics: 2 });

/** A release whose author has forgotten the number. */
export const FORGOTTEN_NUMBER = buildWith(INCRBYMAX);
