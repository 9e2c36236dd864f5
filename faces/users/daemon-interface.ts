/** The interface of the daemon for its listeners, which do not know the daemon's components. */

import type { DurableCopies } from "../../daemon/engine/backends/durable-copies.js";
import type { WorkingMemoryFigures } from "../../daemon/engine/backends/working-memory.js";
import type { Channels } from "../../daemon/engine/channels/channels.js";
import type { SlowLog } from "../../daemon/engine/slow-log/slow-log.js";
import type { JsonReplicaFigures } from "../../daemon/listener/daemon-listener.js";
import type { LogLevel } from "../../daemon/net/process/log-settings.js";
import type { EvictionPolicy } from "../../daemon/options/eviction-policy.js";
import type { Settings } from "../../daemon/options/settings.js";
import type { DaemonCondition } from "../../protocol/daemon-states.js";

/** The memory limit and memory usage, for CONFIG and INFO. */
export interface MemorySettings {
  /** The limit in bytes; 0: no limit. */
  bytes: number;
  policy: EvictionPolicy;
  /** The policies that CONFIG SET accepts. */
  readonly policies: readonly EvictionPolicy[];
  /** The memory in use in bytes, including garbage that V8 has not collected yet. */
  readonly used: number;
  /** The working memory of queries. */
  readonly working: { readonly figures: WorkingMemoryFigures };
  /** The number of keys evicted since the start. */
  readonly evicted: number;
}

export interface DaemonInterface {
  readonly settings: Settings;
  readonly memory: MemorySettings;
  readonly channels: Channels;
  /** The slow commands of all listeners. */
  readonly slowLog: SlowLog;
  /** The level of the daemon's log. */
  logLevel: LogLevel;
  /** Writes a client's message to the log. */
  writeLog(level: LogLevel, text: string): void;
  /** The address on which the listener listens. */
  readonly address: string;
  readonly port: number;
  /** The number of connected daemons. */
  readonly members: number;
  /** The servers of --json-replica, or null if there are none. */
  readonly jsonReplicas: JsonReplicaFigures | null;
  /** The counter of copies of writes on other daemons, or null if nothing is recorded. */
  readonly copies: DurableCopies | null;
  /** The daemon's state for clients that do not sign, and the reason for it. */
  readonly condition: DaemonCondition;
  /** Stops the process once its work is finished; null if the process belongs to another program. */
  readonly shutDown: (() => void) | null;
}
