/** Reads the status of daemons until no work is in progress, and meanwhile shows the work. */
import type { Settings } from "../../client/settings/options.js";
import { realEnvironment } from "../../client/shared/environment.js";
import { showSteps } from "../shared/progress.js";
import type { DaemonStatus } from "./daemon-status.js";
import { readFullStatus } from "./read-status.js";

/** Milliseconds between two updates. */
const LOOK_EVERY_MS = 500;

/**
 * Returns the last status that it read: the first of which `textOf` has nothing to say, or that of the end of the time.
 * @param textOf  what is waited for, in one line; null: nothing
 */
export async function readSettledStatus(
  settings: Settings,
  milliseconds: number,
  textOf: (daemons: readonly DaemonStatus[]) => string | null,
): Promise<readonly DaemonStatus[]> {
  const end = realEnvironment.now() + milliseconds;
  using steps = showSteps();
  for (;;) {
    const daemons = await readFullStatus(settings);
    const text = textOf(daemons);
    const left = end - realEnvironment.now();
    if (text === null || left <= 0) return daemons;
    steps.show(text);
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, LOOK_EVERY_MS)));
  }
}
