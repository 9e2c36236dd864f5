/** The daemon's configuration, complete and checked: the result of its options. */

import type { CertificateFiles } from "../keys/certificate-pair.js";
import type { RedisSpecification } from "./database-list.js";
import type { LimitName, Limits } from "./limits.js";
import type { OptionRow } from "./option-row.js";
import { OPTION_NAMES, OPTIONS, type OptionName } from "./table.js";
import type { Version1 } from "./timeline-rows.js";

/** A value for each row, by its name. */
export type OptionValues = {
  readonly [Name in OptionName]: (typeof OPTIONS)[Name] extends OptionRow<infer Value> ? Value : never;
};

/** Listeners for users without keys: Redis clients, and those of the replicated memory database. */
export type UserListenerName = {
  [Name in OptionName]: (typeof OPTIONS)[Name] extends { readonly clients: string } ? Name : never;
}[OptionName];

export interface Settings extends Omit<OptionValues, LimitName | "v1"> {
  readonly v1: Version1;
  readonly limits: Limits;
  /** With --compat a line for each default that differs from php-dbsync's nevertheless; none where a value was chosen. */
  readonly differences: readonly string[];
}

/** Each an option, and a setting of the same name. */
export const USER_LISTENER_NAMES: readonly UserListenerName[] = OPTION_NAMES.filter(
  (name): name is UserListenerName => "clients" in OPTIONS[name],
);

/** Whether any user is served. */
export function hasUserListener(settings: Settings): boolean {
  return USER_LISTENER_NAMES.some((name) => settings[name] !== null);
}

/** Whether writes are recorded: in a timeline, at least in the daemon's memory, or in a stream. */
export function hasTimeline({ data, peers, order }: Settings): boolean {
  return data !== null || peers.length > 0 || order !== null;
}

interface KeyFiles {
  readonly signKey: readonly string[];
  readonly rootKey: readonly string[];
}

export function hasKeys({ signKey, rootKey }: KeyFiles): boolean {
  return signKey.length > 0 || rootKey.length > 0;
}

/**
 * Whether only signed commands are accepted: with a timeline, from keys that it knows, which may be only the daemons' own.
 */
export function isSigned(settings: Settings): boolean {
  return hasKeys(settings) || hasTimeline(settings);
}

/** Whether everything is signed and forwarded to other daemons. */
export function isSidecar({ database }: Settings): boolean {
  return database.some(({ kind }) => kind === "dbsync");
}

/** The Redis that follows the fold of a daemon that keeps a timeline; null: none does. */
export function mirrorOf(settings: Settings): RedisSpecification | null {
  if (!hasTimeline(settings)) return null;
  return settings.database.find((one) => one.kind === "redis") ?? null;
}

/** Whether the daemon answers from its own memory. */
export function isOwnMemory(settings: Settings): boolean {
  return hasTimeline(settings) || settings.database.every(({ kind }) => kind === "memory");
}

/** Returns the files of TLS; null: no TLS. */
export function tlsFilesOf({ tlsCert, tlsKey }: Settings): CertificateFiles | null {
  return tlsCert === null || tlsKey === null ? null : { certificate: tlsCert, key: tlsKey };
}
