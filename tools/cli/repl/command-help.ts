/** One-line descriptions of commands, fetched from the daemons (COMMAND DOCS) and cached. */

import type { CommandInput } from "../../../client/shared/command-input.js";
import { shown } from "../../../daemon/net/terminal/escaped-text.js";
import { textOfBytes } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { isCommandName } from "../shared/command-names.js";

const GENERAL = `Each line is a command: SET greeting "good morning"
help NAME   describes a command
SELECT n    selects another database
MULTI       queues the following commands until EXEC applies them together; DISCARD drops them
exit        ends the session, like Ctrl-D; Ctrl-C clears the line. Tab completes names.`;

export class CommandHelp {
  readonly #query: (command: CommandInput) => Promise<Reply>;
  /** Descriptions by name in upper case. A description is null if it is unknown or has not arrived yet. */
  readonly #known = new Map<string, string | null>();

  constructor(query: (command: CommandInput) => Promise<Reply>) {
    this.#query = query;
  }

  /** Returns the text that `help` prints. @param name  a command, or "" for the general help */
  async about(name: string): Promise<string> {
    if (name === "") return GENERAL;
    const summary = await this.#fetch(name.toUpperCase());
    return summary ?? `The daemon knows no command ${shown(name.toUpperCase())}.`;
  }

  /**
   * Returns the hint for a line that is being typed, or null if there is none yet.
   * @param learned  called when a hint has arrived
   */
  hint(line: string, learned: () => void): string | null {
    const [name = ""] = line.trimStart().split(/\s/, 1);
    if (!isCommandName(name)) return null;
    const known = this.#known.get(name.toUpperCase());
    if (known !== undefined) return known;
    this.#fetch(name.toUpperCase()).then((summary) => {
      if (summary !== null) learned();
    }, ignored);
    return null;
  }

  async #fetch(name: string): Promise<string | null> {
    const known = this.#known.get(name);
    if (known !== undefined && known !== null) return known;
    this.#known.set(name, null);
    const summary = summaryIn(await this.#query(["COMMAND", "DOCS", name]));
    this.#known.set(name, summary);
    return summary;
  }
}

/** Ignores an error of a hint; the command itself will report the same error. */
function ignored(): void {}

/** Returns the summary in a reply of the form name, [field, value, …], or null if there is none. */
function summaryIn(reply: Reply): string | null {
  if (!("items" in reply)) return null;
  const [, fields] = reply.items;
  if (fields === undefined || !("items" in fields)) return null;
  const at = fields.items.findIndex((field) => field.kind === "bulk" && field.bytes === "summary");
  const { [at + 1]: summary } = fields.items;
  return at >= 0 && summary?.kind === "bulk" ? shown(textOfBytes(summary.bytes)) : null;
}
