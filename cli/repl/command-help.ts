/** One-line descriptions of commands, requested from the daemons once (COMMAND DOCS) and then cached. */

import type { CommandInput } from "../../client/shared/command.js";
import { shown } from "../../net/terminal/shown-text.js";
import { textOfBytes } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { isCommandName } from "../shared/command-names.js";

const GENERAL = `Each line is a command: SET greeting "good morning"
help NAME   what a command is for
SELECT n    another database
MULTI       holds back what follows until EXEC applies all of it together; DISCARD drops it
exit        leaves, as Ctrl-D does; Ctrl-C drops what is typed. Tab completes names.`;

export class CommandHelp {
  readonly #ask: (command: CommandInput) => Promise<Reply>;
  /** Descriptions by name in upper case; null: requested and not received yet, or not known. */
  readonly #known = new Map<string, string | null>();

  constructor(ask: (command: CommandInput) => Promise<Reply>) {
    this.#ask = ask;
  }

  /** @param name  empty: the session's own words */
  async about(name: string): Promise<string> {
    if (name === "") return GENERAL;
    const summary = await this.#fetch(name.toUpperCase());
    return summary ?? `The daemon knows no command ${shown(name.toUpperCase())}.`;
  }

  /**
   * Returns the hint for a line that is being typed; null: there is none, or not yet. @param learned  called when there is
   * one
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
    const summary = summaryIn(await this.#ask(["COMMAND", "DOCS", name]));
    this.#known.set(name, summary);
    return summary;
  }
}

/** Ignores an error: without a hint the command itself reports what is wrong. */
function ignored(): void {}

/** name, [field, value, …] */
function summaryIn(reply: Reply): string | null {
  if (!("items" in reply)) return null;
  const [, fields] = reply.items;
  if (fields === undefined || !("items" in fields)) return null;
  const at = fields.items.findIndex((field) => field.kind === "bulk" && field.bytes === "summary");
  const { [at + 1]: summary } = fields.items;
  return at >= 0 && summary?.kind === "bulk" ? shown(textOfBytes(summary.bytes)) : null;
}
