/** The components of the pipeline, which a test or the simulation can replace. */
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { DateWindow } from "../../options/date-window.js";
import type { MemoryLimit } from "../memory/memory-limit.js";
import type { Signers } from "../trust/signers.js";
import type { DaemonInspector } from "./apply-units.js";
import type { Databases } from "./databases.js";
import type { Observer } from "./pipeline-observer.js";
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
