/** Determines from the table of options which changes SIGHUP applies immediately, and which need a restart. */
import { isDeepStrictEqual } from "node:util";
import { nameOf } from "./option-row.js";
import { isLimitName, OPTION_NAMES, OPTIONS, type OptionName } from "./option-table.js";
import { hasTimeline, type Settings } from "./settings.js";

/** Returns the names of options that have changed and need a restart. */
export function restartNames(before: Settings, after: Settings): string[] {
  return OPTION_NAMES.filter(
    (name) =>
      !appliesImmediately(name, before) &&
      !isDeepStrictEqual(settingOf(before, name), settingOf(after, name)),
  ).map((name) => nameOf(OPTIONS[name]));
}

/** Returns the settings `before` with the values of `after` that apply without a restart. */
export function reloaded(before: Settings, after: Settings): Settings {
  const applied = OPTION_NAMES.filter((name) => appliesImmediately(name, before));
  const names: readonly string[] = applied;
  const limits = names.filter(isLimitName).map((name) => [name, after.limits[name]]);
  const others = applied.filter((name) => !isLimitName(name)).map((name) => [name, settingOf(after, name)]);
  return {
    ...before,
    ...Object.fromEntries(others),
    limits: { ...before.limits, ...Object.fromEntries(limits) },
  };
}

function appliesImmediately(name: OptionName, before: Settings): boolean {
  const { reload } = OPTIONS[name];
  return reload === "immediately" || (reload === "timeline" && hasTimeline(before));
}

const settingOf = (settings: Settings, name: OptionName): unknown =>
  isLimitName(name) ? settings.limits[name] : settings[name];
