/** The daemon as its listeners see it: they do not know its parts. */

import type { Channels } from "../engine/channels/channels.js";
import type { SlowLog } from "../engine/slow-log/slow-log.js";
import type { Copies } from "../engine/users/copies.js";
import type { LogLevel } from "../net/process/log.js";
import type { EvictionPolicy } from "../options/eviction-policy.js";
import type { Settings } from "../options/settings.js";
import type { JsonReplicaFigures } from "./json-replica-figures.js";

/** The limit of memory, as CONFIG and INFO show it. */
export interface MemorySettings {
  /** 0: no limit. */
  bytes: number;
  policy: EvictionPolicy;
  /** The policies that CONFIG SET accepts. */
  readonly policies: readonly EvictionPolicy[];
  /** Bytes in use as the limit counts them, with garbage. */
  readonly used: number;
  /** Keys evicted since the start. */
  readonly evicted: number;
}

export interface DaemonFace {
  readonly settings: Settings;
  readonly memory: MemorySettings;
  readonly channels: Channels;
  /** Slow commands of all listeners. */
  readonly slowLog: SlowLog;
  /** The level of the daemon's whole log. */
  logLevel: LogLevel;
  /** Writes a client's sentence to the log. */
  say(level: LogLevel, text: string): void;
  /** The address on which the listener listens. */
  readonly address: string;
  readonly port: number;
  /** The number of connected daemons. */
  readonly members: number;
  /** Servers of --json-replica; null: none. */
  readonly jsonReplicas: JsonReplicaFigures | null;
  /** The copies of writes on other daemons; null: nothing is recorded. */
  readonly copies: Copies | null;
  /** The daemon's state, in the word that clients receive. */
  readonly state: string;
  /** The reason why the daemon no longer writes; null: it does. */
  readonly failure: string | null;
  /** Stops the process once its work is finished; null: it belongs to another program. */
  readonly shutDown: (() => void) | null;
}
