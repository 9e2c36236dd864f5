/** Changes of settings that SIGHUP applies immediately, and those that need a restart, by each option's row. */
import { isDeepStrictEqual } from "node:util";
import { isLimitName } from "./limits.js";
import { nameOf } from "./option-row.js";
import { hasTimeline, type Settings } from "./settings.js";
import { OPTION_NAMES, OPTIONS, type OptionName } from "./table.js";

/** Returns the names of options whose values differ and need a restart. */
export function restartNames(before: Settings, after: Settings): string[] {
  return OPTION_NAMES.filter(
    (name) =>
      !holdsAtOnce(name, before) && !isDeepStrictEqual(settingOf(before, name), settingOf(after, name)),
  ).map((name) => nameOf(OPTIONS[name]));
}

/** Returns `before` with the values of `after` that apply without a restart. */
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
