/** What the pipeline is made of: the daemon's own parts, and what a test or the simulation puts in their place. */
import type { Logger } from "pino";
import type { Environment } from "../../net/process/environment.js";
import type { DateWindow } from "../../options/date-window.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { MemoryLimit } from "../memory/memory-limit.js";
import type { Signers } from "../trust/signers.js";
import type { Broadcasts } from "./broadcasts.js";
import type { Databases } from "./databases.js";
import type { Observer } from "./observer.js";
import type { Recording } from "./recording.js";
import type { SeenBounds } from "./seen.js";
import type { Floor } from "./start-floor.js";
import type { Inspecting } from "./units.js";

export interface PipelineParts {
  readonly databases: Databases;
  /** null: a daemon without keys, which takes unsigned commands and envelopes only. */
  readonly signers: Signers | null;
  readonly environment: Environment;
  readonly log: Logger;
  readonly observer: Observer;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** SHA-256 of all pieces together. */
  readonly hash: (...pieces: readonly Buffer[]) => ByteString;
  readonly memory: MemoryLimit;
  readonly window: DateWindow;
  readonly remembered: SeenBounds;
  readonly floor: Floor;
  readonly recording: Recording;
  /** Messages on channels; null or not there: they are the databases' affair. */
  readonly broadcasts?: Broadcasts | null;
  /** Who answers what administrators ask of the daemon itself; null or not there: nobody does. */
  readonly inspection?: Inspecting | null;
}
