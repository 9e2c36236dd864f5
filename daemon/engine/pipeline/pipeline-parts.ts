/** The components of the pipeline, which a test or the simulation can replace. */
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ConnectionObserver } from "../../net/connections/connection-registry.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { DateWindow } from "../../options/timeline-values.js";
import type { RefusalCode } from "../answers/refusals.js";
import type { MemoryLimit } from "../memory/memory-limit.js";
import type { Signers } from "../trust/signers.js";
import type { DaemonInspector } from "./apply-units.js";
import type { Databases } from "./databases.js";
import type { Broadcasts } from "./publish-messages.js";
import type { Recording } from "./recording-interface.js";
import type { SeenLimits } from "./seen-envelopes.js";
import type { Floor } from "./start-floor.js";

export interface PipelineParts {
  readonly databases: Databases;
  /** The keys that may sign. Null for a daemon without keys, which accepts only unsigned commands and envelopes. */
  readonly signers: Signers | null;
  readonly environment: Environment;
  readonly log: Logger;
  readonly observer: Observer;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Returns the SHA-256 of the concatenated pieces. */
  readonly hash: (...pieces: readonly Buffer[]) => ByteString;
  readonly memory: MemoryLimit;
  readonly window: DateWindow;
  readonly seenLimits: SeenLimits;
  readonly floor: Floor;
  readonly recording: Recording;
  /** Publishes messages on channels. Null or absent if the databases publish them. */
  readonly broadcasts?: Broadcasts | null;
  /** Answers administrators' commands about the daemon itself. If it is null or absent, such commands are refused. */
  readonly inspection?: DaemonInspector | null;
}

/**
 * The events of the pipeline and its listeners, which are counted as metrics. They occur on the hot path, so observers
 * must be fast.
 */
export interface Observer extends ConnectionObserver {
  /**
   * Called when commands were answered.
   * @param listener  "dbsync-v1", "dbsync-v2" or "ws"; "dbsync" while the version is unknown
   */
  served(listener: string, units: number, errors: number): void;
  refused(listener: string, code: RefusalCode): void;
  /** Called when a signature was verified. */
  verified(milliseconds: number): void;
  /** Called when a signed command or an envelope was answered. @param milliseconds  since it was received */
  answered(milliseconds: number): void;
  /**
   * Called when the date of an envelope is checked.
   * @param milliseconds  the envelope's `at` minus the daemon's clock
   */
  skewed(milliseconds: number): void;
}

/** The observer of daemons without metrics. */
export const NO_OBSERVER: Observer = {
  served() {},
  refused() {},
  verified() {},
  answered() {},
  skewed() {},
  connected() {},
};
