/** Command lines and files made of the options' rows: each option with another value than its own, among those that it needs. */
import { nameOf, type OptionRow } from "../../options/option-row.js";
import { OPTIONS } from "../../options/table.js";

const ROWS: Readonly<Record<string, OptionRow>> = OPTIONS;

/** Settings without which it is refused, and those without which these are. @throws if a row names one that is not there */
export function neededBy(setting: string, found: ReadonlySet<string> = new Set()): ReadonlySet<string> {
  const { [setting]: row } = ROWS;
  if (row === undefined) throw new Error(`no option is the setting ${setting}`);
  let all = found;
  for (const one of row.needs ?? []) if (!all.has(one)) all = neededBy(one, new Set([...all, one]));
  return all;
}

/** A database that goes with a key: the example of `database` is one that takes none. */
const SIGNED_FOR = "dbsync:127.0.0.1:1111";

/** The options of `settings`, each with its example. */
export function argumentsOf(settings: Iterable<string>): string[] {
  const all = new Set(settings);
  return [...all].flatMap((setting) => {
    const { [setting]: row } = ROWS;
    if (row === undefined) return [];
    if (setting === "database" && all.has("key")) return ["--database", SIGNED_FOR];
    return row.fallback === false ? [`--${nameOf(row)}`] : [`--${nameOf(row)}`, row.example];
  });
}
