/** The daemon's complete and checked configuration, which results from its options. */

import type { CertificateFiles } from "../../keys/certificate-pair.js";
import type { RedisSpecification } from "./database-list.js";
import type { LimitName, Limits } from "./limits.js";
import type { FaceSettings, UserListeners, ValuesOf } from "./option-row.js";
import type { CoreRows, OptionTable } from "./option-table.js";
import type { Version1 } from "./timeline-rows.js";

/** The values of all options by name. */
export interface OptionValues extends ValuesOf<CoreRows>, FaceSettings, UserListeners {}

export interface Settings extends Omit<OptionValues, LimitName | "v1"> {
  readonly v1: Version1;
  readonly limits: Limits;
  /** With --compat, a description of each default that differs from php-dbsync's. */
  readonly differences: readonly string[];
  /** The table of the options from which the settings result. */
  readonly table: OptionTable;
}

/** Whether writes are recorded: in a timeline (in the data folder or only in memory), or in a stream. */
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
 * Whether only signed commands are accepted. This is always so on a daemon with a timeline, even if the daemon has no
 * keys of clients and signs the commands of all clients itself.
 */
export function isSigned(settings: Settings): boolean {
  return hasKeys(settings) || hasTimeline(settings);
}

/** Whether the daemon signs all commands and forwards them to other daemons. */
export function isSidecar({ database }: Settings): boolean {
  return database.some(({ kind }) => kind === "dbsync");
}

/** Returns the Redis that mirrors the state of a daemon with a timeline, or null if there is none. */
export function mirrorOf(settings: Settings): RedisSpecification | null {
  if (!hasTimeline(settings)) return null;
  return settings.database.find((one) => one.kind === "redis") ?? null;
}

/** Whether the daemon answers from its own memory. */
export function isOwnMemory(settings: Settings): boolean {
  return hasTimeline(settings) || settings.database.every(({ kind }) => kind === "memory");
}

/** Returns the files of TLS, or null without TLS. */
export function tlsFilesOf({ tlsCert, tlsKey }: Settings): CertificateFiles | null {
  return tlsCert === null || tlsKey === null ? null : { certificate: tlsCert, key: tlsKey };
}
