/** `dbsync status --watch`: what is shown each time, until Ctrl-C. */
import { realEnvironment } from "../../shared/environment.js";
import type { DaemonStatus } from "./daemon-status.js";
import type { FleetStatus } from "./fleet-status.js";
import { isScreen, Screen } from "./screen.js";
import { Rates, watchedLines } from "./watched-report.js";

export type Show = (daemons: readonly DaemonStatus[], fleets: readonly FleetStatus[]) => void;

/**
 * Ctrl-C ends it with the code of the last look; a signal that ends it finds the terminal as it was, too.
 * @param once    how it is shown where nobody watches a screen: one below the other
 * @param isJson  each in a line
 */
export function beginWatching(once: Show, isJson: boolean): Show {
  const screen = !isJson && isScreen(process.stdout) ? new Screen(process.stdout) : null;
  process.once("SIGINT", () => {
    screen?.leave();
    process.exit();
  });
  for (const signal of ["SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      screen?.leave();
      process.kill(process.pid, signal);
    });
  if (screen === null) {
    return (daemons, fleets) => {
      once(daemons, fleets);
      if (!isJson) process.stdout.write("\n");
    };
  }
  const rates = new Rates();
  return (daemons, fleets) => {
    const now = realEnvironment.wallClock();
    rates.look(daemons, now);
    screen.draw(watchedLines({ daemons, fleets, rates, now, columns: screen.columns }));
  };
}
