/** What of new settings holds at once (SIGHUP), and what needs a restart, as each option's row has it. */
import { isDeepStrictEqual } from "node:util";
import { isLimitName } from "./limits.js";
import { nameOf } from "./option-row.js";
import { hasTimeline, type Settings } from "./settings.js";
import { OPTION_NAMES, OPTIONS, type OptionName } from "./table.js";

/** Names of options whose values differ and need a restart. */
export function restartNames(before: Settings, after: Settings): string[] {
  return OPTION_NAMES.filter(
    (name) =>
      !holdsAtOnce(name, before) && !isDeepStrictEqual(settingOf(before, name), settingOf(after, name)),
  ).map((name) => nameOf(OPTIONS[name]));
}

/** What of new settings holds at once, and of the old ones all else. */
export function reloaded(before: Settings, after: Settings): Settings {
  const taken = OPTION_NAMES.filter((name) => holdsAtOnce(name, before));
  const limits = taken.filter(isLimitName).map((name) => [name, after.limits[name]]);
  const others = taken.filter((name) => !isLimitName(name)).map((name) => [name, settingOf(after, name)]);
  return {
    ...before,
    ...Object.fromEntries(others),
    limits: { ...before.limits, ...Object.fromEntries(limits) },
  };
}

function holdsAtOnce(name: OptionName, before: Settings): boolean {
  const { reload } = OPTIONS[name];
  return reload === "at once" || (reload === "timeline" && hasTimeline(before));
}

const settingOf = (settings: Settings, name: OptionName): unknown =>
  isLimitName(name) ? settings.limits[name] : settings[name];
