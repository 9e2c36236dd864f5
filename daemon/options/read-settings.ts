/**
 * Turns the options into settings: applies values that options imply for other options, and checks combinations before
 * anything is opened. After SIGHUP, determines from the table of options which changes apply immediately, and which
 * need a restart.
 */

import { isDeepStrictEqual } from "node:util";
import { isLoopback } from "../net/process/host-and-port.js";
import { fail, StartError } from "../net/process/service.js";
import { parseSpecifications } from "./database-list.js";
import { LIMITS, type LimitName, type Limits } from "./limits.js";
import { attributeOf, nameOf } from "./option-row.js";
import { COMPAT_DATABASE, type OptionName } from "./option-table.js";
import type { OptionProgram } from "./parse-options.js";
import { refuseOpen } from "./reachable-addresses.js";
import { hasKeys, hasTimeline, isOwnMemory, isSigned, type OptionValues, type Settings } from "./settings.js";
import {
  hasUserListener,
  refuseSamePlaces,
  validateTimeline,
  validateUserListeners,
} from "./settings-rules.js";
import { formatLimit } from "./value-forms.js";

/** The settings that the core reads although they belong to a face, in a build without it. */
const WITHOUT_FACES: Partial<OptionValues> = { order: null };

/** Returns whether an option was set, on the command line, by a variable or in the file. */
type Chosen = (name: OptionName) => boolean;

/** Returns the value of each option: the set value, the value that --compat implies, or the default. */
export function valuesOf(program: OptionProgram): OptionValues {
  const { names, rows } = program.table;
  const options = Object.fromEntries(
    names.map((name) => {
      const { [name]: row } = rows;
      return [name, program.getOptionValue(attributeOf(row)) ?? row.fallback];
    }),
  ) as OptionValues;
  return { ...WITHOUT_FACES, ...options, ...impliedBy(options, chosenOf(program)) };
}

/** Returns the values that --compat implies for options that were not set. */
function impliedBy(options: OptionValues, chosen: Chosen): Partial<OptionValues> {
  if (options.compat === null) return {};
  return {
    ...(chosen("database") ? {} : { database: parseSpecifications(COMPAT_DATABASE) }),
    ...(hasKeys(options) ? {} : { allowUnsigned: true }),
  };
}

/**
 * Returns the settings.
 * @throws StartError  the combination of options is invalid; the message says what to do
 */
export function settingsOf(program: OptionProgram): Settings {
  const { faces, table } = program;
  const values = valuesOf(program);
  const { compat } = values;
  const isShared = values.peers.length > 0 || values.order !== null;
  const defaultV1 = isShared ? "off" : values.data === null ? "local" : "gateway";

  const settings: Settings = {
    ...withLimits(values, program),
    v1: values.v1 ?? defaultV1,
    differences: compat === null ? [] : differencesOf(chosenOf(program)),
    table,
  };

  validateTls(settings);
  for (const { checkOptions } of faces) checkOptions?.(settings, table.userListeners);
  validate(settings);
  validateTimeline(settings, hasKeys(settings) || hasUserListener(settings), values.v1 !== null);
  validateUserListeners(settings);
  refuseSamePlaces(settings);
  validateMemory(settings);
  return settings;
}

function withLimits(
  values: OptionValues,
  { table }: OptionProgram,
): Omit<OptionValues, LimitName> & { readonly limits: Limits } {
  const chosen: Readonly<Record<string, unknown>> = { ...values };
  const limits = Object.fromEntries(
    Object.entries(table.limits).map(([name, { fallback }]) => [name, chosen[name] ?? fallback]),
  ) as Record<LimitName, number>;
  const others = Object.entries(values).filter(([name]) => !(name in limits));
  return { ...(Object.fromEntries(others) as Omit<OptionValues, LimitName>), limits };
}

function chosenOf(program: OptionProgram): Chosen {
  const { rows } = program.table;
  return (name) => !["default", undefined].includes(program.getOptionValueSource(attributeOf(rows[name])));
}

/** Checks that both TLS files are set, or none. @throws StartError */
function validateTls({ tlsCert, tlsKey }: Settings): void {
  if ((tlsCert === null) === (tlsKey === null)) return;
  const missing = tlsCert === null ? "--tls-cert" : "--tls-key";
  throw new StartError(`TLS needs a certificate and its key: ${missing} is missing.`, 2);
}

function validate(settings: Settings): void {
  const { bind, allowUnsigned, limits } = settings;
  const signed = isSigned(settings);
  if (signed && allowUnsigned)
    fail(
      "--allow-unsigned cannot be combined with -s, --data, --peer or --order, which accept only signed commands. Leave it out.",
    );
  if (isLoopback(bind) === false) refuseOpen(bind, settings);
  if (limits.maxRequestBytes > limits.maxBufferedBytes)
    fail(
      "--max-request-bytes is higher than --max-buffered-bytes, so the largest requests could not arrive. Raise --max-buffered-bytes.",
    );
}

/** Checks the options about memory. @throws StartError  the message says what to do */
function validateMemory(settings: Settings): void {
  const { limits, maxmemoryPolicy } = settings;
  if (limits.maxmemory > 0 && !isOwnMemory(settings))
    fail(
      "--maxmemory limits the database in this daemon's memory: leave it out, and set the limit on the server of -d.",
    );

  if (maxmemoryPolicy === "noeviction") return;
  if (hasTimeline(settings))
    fail(
      `--maxmemory-policy ${maxmemoryPolicy} would drop keys only on this daemon, which would then differ from ` +
        "its peers and its own folder. With --data, --peer or --order leave it out.",
    );
  if (limits.maxmemory === 0) fail(`--maxmemory-policy ${maxmemoryPolicy} needs a limit: add --maxmemory.`);
}

/** Returns the differences from php-dbsync that remain with --compat. */
function differencesOf(chosen: Chosen): string[] {
  if (chosen("idleTimeout")) return [];
  const { idleTimeout } = LIMITS;
  const shown = formatLimit(idleTimeout, idleTimeout.fallback);
  return [`idle connections are closed after ${shown}, in php-dbsync after 3s (--idle-timeout)`];
}

/** Returns the names of options that have changed and need a restart. */
export function restartNames(before: Settings, after: Settings): string[] {
  const { names, rows } = after.table;
  return names
    .filter(
      (name) =>
        !appliesImmediately(name, before) &&
        !isDeepStrictEqual(settingOf(before, name), settingOf(after, name)),
    )
    .map((name) => nameOf(rows[name]));
}

/** Returns the settings `before` with the values of `after` that apply without a restart. */
export function reloaded(before: Settings, after: Settings): Settings {
  const { table } = before;
  const applied = table.names.filter((name) => appliesImmediately(name, before));
  const isLimit = (name: string) => table.isLimit(name);
  const limits = applied.filter(isLimit).map((name) => [name, settingOf(after, name)]);
  const others = applied.filter((name) => !isLimit(name)).map((name) => [name, settingOf(after, name)]);
  return {
    ...before,
    ...Object.fromEntries(others),
    limits: { ...before.limits, ...Object.fromEntries(limits) },
  };
}

function appliesImmediately(name: OptionName, before: Settings): boolean {
  const { reload } = before.table.rows[name];
  return reload === "immediately" || (reload === "timeline" && hasTimeline(before));
}

/** Returns the value of an option. */
export const settingOf = (settings: Settings, name: OptionName): unknown =>
  settings.table.isLimit(name) ? settings.limits[name] : settings[name];
