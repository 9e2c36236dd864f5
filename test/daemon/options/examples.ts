/**
 * Creates command lines from the rows of the options: each option with a value other than its default, and the options
 * that its example needs.
 */
import { type OptionRow, optionName } from "../../../daemon/options/option-row.js";
import { OPTIONS } from "../../support/installed-options.js";

const ROWS: Readonly<Record<string, OptionRow>> = OPTIONS;

/**
 * Returns the settings that a setting's example needs, directly or indirectly.
 * @throws Error  if a row names a setting that does not exist
 */
export function neededBy(setting: string, found: ReadonlySet<string> = new Set()): ReadonlySet<string> {
  const { [setting]: row } = ROWS;
  if (row === undefined) throw new Error(`no option is the setting ${setting}`);
  let all = found;
  for (const one of row.needs ?? []) if (!all.has(one)) all = neededBy(one, new Set([...all, one]));
  return all;
}

/** A database that can be combined with a key, unlike the example of `database`. */
const SIGNED_FOR = "dbsync:127.0.0.1:1112";

/** Returns the options of `settings` with their examples. */
export function argumentsOf(settings: Iterable<string>): string[] {
  const all = new Set(settings);
  return [...all].flatMap((setting) => {
    const { [setting]: row } = ROWS;
    if (row === undefined) return [];
    if (setting === "database" && all.has("key")) return ["--database", SIGNED_FOR];
    return row.fallback === false ? [`--${optionName(row)}`] : [`--${optionName(row)}`, row.example];
  });
}
