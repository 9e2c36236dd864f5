/** A screen that is redrawn in place until a signal ends it; then the cursor is restored. */
import { realEnvironment } from "../../client/shared/environment.js";
import { endOnQ } from "../shared/quit-key.js";
import type { DaemonStatus } from "./daemon-status.js";
import { isScreen, Screen } from "./screen.js";
import { Rates, watchedLines } from "./watched-report.js";

export type Show = (daemons: readonly DaemonStatus[]) => void;

/**
 * Opens the screen. q and Ctrl-C end the program with the code of the last update; after another signal the terminal is as it was, too.
 * @returns null: the output is no terminal
 */
export function openScreen(): Screen | null {
  const screen = isScreen(process.stdout) ? new Screen(process.stdout) : null;
  // Whatever ends the process, including a bug in this program.
  process.once("exit", () => screen?.leave());
  process.once("SIGINT", () => process.exit());
  const releaseKeys = screen === null ? () => {} : endOnQ(() => process.exit());
  for (const signal of ["SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      screen?.leave();
      releaseKeys();
      process.kill(process.pid, signal);
    });
  return screen;
}

/**
 * Begins `dbsync status --watch`.
 * @param once    shows a status where the output is no terminal: one below the other
 * @param isJson  whether each is a line
 */
export function beginWatching(once: Show, isJson: boolean): Show {
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
    rates.look(daemons, now);
    screen.draw(watchedLines({ daemons, rates, now, columns: screen.columns }));
  };
}
