/**
 * CONFIG GET in signed envelopes: returns the current values of the daemon's options by their long names, as
 * --check-config prints them.
 */

import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { bulk, map, type Reply } from "../../../protocol/reply.js";
import { nameOf, type OptionRow } from "../../options/option-row.js";
import { isLimitName, OPTION_NAMES, OPTIONS, type OptionName } from "../../options/option-table.js";
import type { Settings } from "../../options/settings.js";
import { globMatches } from "../../store/patterns/glob.js";

/**
 * Returns the values of options; an option that is not set is empty, and passwords of databases are left out.
 * @param patterns  glob patterns of the names
 */
export function configValues(patterns: readonly ByteString[], settings: Settings): Reply {
  const wanted = patterns.map((pattern) => pattern.toLowerCase());
  return map(
    OPTION_NAMES.flatMap((option) => {
      const { [option]: row } = OPTIONS;
      const name = nameOf(row);
      if (!wanted.some((pattern) => globMatches(pattern, name))) return [];
      return [bulk(name), bulk(bytesOfText(shownValue(row, settingOf(settings, option))))];
    }),
  );
}

function settingOf(settings: Settings, name: OptionName): unknown {
  return isLimitName(name) ? settings.limits[name] : settings[name];
}

function shownValue({ form }: OptionRow, value: unknown): string {
  if (value === null) return "";
  const shown = form.show(value);
  return typeof shown === "object" ? shown.join(",") : String(shown);
}
