/** The objects of a daemon that its listeners share. */
import type { Logger } from "pino";
import type { ByteString } from "../../protocol/byte-string.js";
import type { DaemonCondition } from "../../protocol/daemon-states.js";
import type { RecordedWrites } from "../cluster/node/recorded-writes.js";
import type { Backend } from "../engine/backends/backend.js";
import type { CommandPath } from "../engine/backends/command-path.js";
import type { Channels } from "../engine/channels/channels.js";
import type { MemoryLimit } from "../engine/memory/memory-limit.js";
import type { Pipeline } from "../engine/pipeline/pipeline.js";
import type { SlowLog } from "../engine/slow-log/slow-log.js";
import type { DaemonListenerParts } from "../listener/daemon-listener.js";
import type { Environment } from "../net/process/clock-and-randomness.js";
import type { Settings } from "../options/settings.js";
import type { Semantics } from "../store/semantics.js";
import type { Metrics } from "./inspection/metrics.js";

export interface DaemonOptions {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly log: Logger;
  /** The semantics of commands by version number; default: those of this release. */
  readonly known?: Semantics | undefined;
  /** Stops the process when a client sends SHUTDOWN; default: clients may not stop it. */
  readonly shutDown?: (() => void) | undefined;
}

export interface Core extends DaemonOptions {
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Returns the daemon's state, and the reason for it. */
  readonly condition: () => DaemonCondition;
  /** Creates the TLS gate of a listener; null without TLS. */
  readonly gate: DaemonListenerParts["gate"];
  readonly observer: Metrics;
  readonly slowLog: SlowLog;
  readonly channels: Channels;
  /** The recorded writes, or null if writes are not recorded. */
  readonly replica: RecordedWrites | null;
  readonly backends: readonly Backend[];
  /** Returns the path of users' commands if the database is not in memory, otherwise null. */
  readonly path: (() => Promise<CommandPath>) | null;
  readonly memory: MemoryLimit;
  readonly pipeline: Pipeline;
}
