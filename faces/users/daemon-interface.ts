/** The interface of the daemon for its listeners, which do not know the daemon's components. */

import type { NamedDaemon } from "../../daemon/cluster/peers/shared/named-daemon.js";
import type { DurableCopies } from "../../daemon/engine/backends/durable-copies.js";
import type { WorkingMemoryFigures } from "../../daemon/engine/backends/working-memory.js";
import type { Channels } from "../../daemon/engine/channels/channels.js";
import type { InfoFields } from "../../daemon/engine/info/info-text.js";
import type { SlowLog } from "../../daemon/engine/slow-log/slow-log.js";
import type { LogLevel } from "../../daemon/net/process/log-settings.js";
import type { EvictionPolicy } from "../../daemon/options/eviction-policy.js";
import type { Settings } from "../../daemon/options/settings.js";
import type { DaemonCondition } from "../../protocol/daemon-states.js";

/** The memory limit and memory usage, for CONFIG and INFO. */
interface MemorySettings {
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
  /** The fields that the listeners of faces add to INFO replication. */
  readonly replicationFields: InfoFields;
  /** The counter of copies of writes on other daemons, or null if nothing is recorded. */
  readonly copies: DurableCopies | null;
  /** The daemon's state for clients that do not sign, and the reason for it. */
  readonly condition: DaemonCondition;
  /** The daemon that sentinels name, or null if there is neither a timeline nor a listener for users. */
  readonly named: NamedDaemon | null;
  /** Stops the process once its work is finished; null if the process belongs to another program. */
  readonly shutDown: (() => void) | null;
}
