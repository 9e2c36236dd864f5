/** What the commands on the server ask the daemon, whose parts they do not know. */

import type { Channels } from "../engine/channels/channels.js";
import type { SlowLog } from "../engine/slow-log/slow-log.js";
import type { Copies } from "../engine/users/copies.js";
import type { LogLevel } from "../net/process/log.js";
import type { EvictionPolicy } from "../options/eviction-policy.js";
import type { Settings } from "../options/settings.js";
import type { JsonReplicaFigures } from "./replica-figures.js";

/** What CONFIG and INFO know of the limit of memory. */
export interface MemorySettings {
  /** 0: no limit. */
  bytes: number;
  policy: EvictionPolicy;
  /** Those that can be chosen. */
  readonly policies: readonly EvictionPolicy[];
  /** Bytes in use as the limit counts them, garbage among them. */
  readonly used: number;
  /** Keys that the limit has made go since the start. */
  readonly evicted: number;
}

export interface DaemonFace {
  readonly settings: Settings;
  readonly memory: MemorySettings;
  readonly channels: Channels;
  /** Of commands that came in any way. */
  readonly slowLog: SlowLog;
  /** Of everything that the daemon tells. */
  logLevel: LogLevel;
  /** Puts a sentence of a client into the log. */
  say(level: LogLevel, text: string): void;
  /** Where the listener listens. */
  readonly address: string;
  readonly port: number;
  /** Daemons that are connected. */
  readonly members: number;
  /** Servers of --json-replica; null: none. */
  readonly jsonReplicas: JsonReplicaFigures | null;
  /** What other daemons have of the writes; null: nothing is recorded. */
  readonly copies: Copies | null;
  /** As clients are told. */
  readonly state: string;
  /** Why nothing is written any more; null: all is well. */
  readonly failure: string | null;
  /** Stops the process in its own time; null: it is not ours to stop. */
  readonly shutDown: (() => void) | null;
}
