/** A screen that is redrawn until a key or a signal ends the program; then the cursor is restored. */
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { endOnQ } from "../shared/quit-key.js";
import type { DaemonStatus } from "./read-status.js";
import { isScreen, RedrawnScreen } from "./redrawn-screen.js";
import { Rates, watchedLines } from "./watched-report.js";

export type ShowStatus = (daemons: readonly DaemonStatus[]) => void;

/**
 * Opens the screen. q and Ctrl-C end the program with the exit code of the last update. The terminal is restored after
 * any other signal too.
 * @returns null if the output is not a terminal
 */
export function openScreen(): RedrawnScreen | null {
  const screen = isScreen(process.stdout) ? new RedrawnScreen(process.stdout) : null;
  // Restores the terminal however the process ends, including by a bug.
  process.once("exit", () => screen?.close());
  process.once("SIGINT", () => process.exit());
  const releaseKeys = screen === null ? () => {} : endOnQ(() => process.exit());
  for (const signal of ["SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      screen?.close();
      releaseKeys();
      process.kill(process.pid, signal);
    });
  return screen;
}

/**
 * Begins `dbsync status --watch`.
 * @param once    prints a status, if the output is not a terminal
 * @param isJson  whether each status is a line of JSON
 */
export function beginWatching(once: ShowStatus, isJson: boolean): ShowStatus {
  if (isJson) return once;
  const screen = openScreen();
  if (screen === null) {
    return (daemons) => {
      once(daemons);
      process.stdout.write("\n");
    };
  }
  const rates = new Rates();
  return (daemons) => {
    const now = realEnvironment.wallClock();
    rates.update(daemons, now);
    screen.draw(watchedLines({ daemons, rates, now, columns: screen.columns }));
  };
}
