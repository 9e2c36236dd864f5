/** What a client is made of. */
import type { Settings } from "./settings/options.js";
import type { EnvelopeSigner, Signer } from "./settings/signing-key.js";
import type { FrameTracer } from "./shared/debug.js";
import type { Environment } from "./shared/environment.js";

export interface FanOutParts {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly sign: Signer | null;
  /** null: nothing is signed. */
  readonly signer?: EnvelopeSigner | null;
  /** As of FleetParts. */
  readonly isSession?: boolean;
  readonly trace: FrameTracer | null;
  readonly warn?: (warning: string) => void;
}
