/** What the pipeline of a daemon with a timeline has besides. */
import type { Confirmations } from "./confirmations.js";
import type { Gateway } from "./gateway.js";
import type { Recorder } from "./recorder.js";

export interface TimelineParts {
  readonly recorder: Recorder;
  readonly confirmations: Confirmations;
  /** What version 1 writes; null: it writes nothing. */
  readonly gateway: Pick<Gateway, "execute" | "takes"> | null;
}
