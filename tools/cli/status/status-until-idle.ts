/** Reads the status of daemons until no work is in progress, and shows the work until then. */
import type { Settings } from "../../../client/settings/client-settings.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { showProgressText } from "../shared/progress.js";
import { type DaemonStatus, readFullStatus } from "./read-status.js";

/** Time between two updates, in milliseconds. */
const UPDATE_EVERY_MS = 500;

/**
 * Returns the first status for which `textOf` returns null, or the last status before the time limit.
 * @param milliseconds  the time limit
 * @param textOf  returns a line that says what the program waits for, or null if there is nothing to wait for
 */
export async function readStatusUntilIdle(
  settings: Settings,
  milliseconds: number,
  textOf: (daemons: readonly DaemonStatus[]) => string | null,
): Promise<readonly DaemonStatus[]> {
  const end = realEnvironment.now() + milliseconds;
  using steps = showProgressText();
  for (;;) {
    const daemons = await readFullStatus(settings);
    const text = textOf(daemons);
    const remaining = end - realEnvironment.now();
    if (text === null || remaining <= 0) return daemons;
    steps.show(text);
    await new Promise((resolve) => setTimeout(resolve, Math.min(remaining, UPDATE_EVERY_MS)));
  }
}
