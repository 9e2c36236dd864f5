/** The activity of daemons between two updates, from their counts since the start. */
import type { DaemonFigures } from "../status/daemon-figures.js";
import type { DaemonStatus } from "../status/daemon-status.js";

/** Updates whose rates are shown. */
const LOOKS_MAX = 24;
const MS_PER_SECOND = 1000;
const MICROSECONDS_PER_MS = 1000;

/** Activity per second, as counted between the last two updates. */
export interface Activity {
  readonly commands: number;
  readonly errors: number;
  readonly refusals: number;
  /** Milliseconds that half of the answers, and 99 of 100, took at most; null: there were none. */
  readonly half: number | null;
  readonly most: number | null;
}

interface Look {
  readonly at: number;
  readonly figures: DaemonFigures;
}

/** Bounded: the last updates of the listed daemons. */
export class Activities {
  readonly #last = new Map<string, Look>();
  readonly #now = new Map<string, Activity>();
  readonly #rates = new Map<string, number[]>();

  /** @param now  milliseconds that never jump */
  look(daemons: readonly DaemonStatus[], now: number): void {
    for (const { address, figures } of daemons) {
      const before = this.#last.get(address);
      this.#last.delete(address);
      this.#now.delete(address);
      if (figures === null) continue;
      this.#last.set(address, { at: now, figures });
      // A daemon that was restarted has begun its counts again.
      if (before === undefined || now <= before.at || figures.commands < before.figures.commands) continue;
      const activity = activityOf(before.figures, figures, (now - before.at) / MS_PER_SECOND);
      this.#now.set(address, activity);
      this.#rates.set(address, [...this.ratesOf(address), activity.commands].slice(-LOOKS_MAX));
    }
  }

  /** Returns a daemon's activity; null: not known yet. */
  of(address: string): Activity | null {
    return this.#now.get(address) ?? null;
  }

  /** Commands a second, the latest last. */
  ratesOf(address: string): readonly number[] {
    return this.#rates.get(address) ?? [];
  }
}

function activityOf(before: DaemonFigures, after: DaemonFigures, seconds: number): Activity {
  const rate = (name: "commands" | "errors" | "refusals") =>
    Math.max(0, after[name] - before[name]) / seconds;
  const times = after.times.map(([most, count], place): [number, number] => [
    most,
    Math.max(0, count - (before.times[place]?.[1] ?? 0)),
  ]);
  return {
    commands: rate("commands"),
    errors: rate("errors"),
    refusals: rate("refusals"),
    half: quantile(times, 0.5),
    most: quantile(times, 0.99),
  };
}

/** Milliseconds: the upper end of the bucket in which that share of the answers is reached. */
export function quantile(times: DaemonFigures["times"], share: number): number | null {
  const all = times.reduce((sum, [, count]) => sum + count, 0);
  let sum = 0;
  for (const [most, count] of times) {
    sum += count;
    if (count > 0 && sum >= all * share) return most / MICROSECONDS_PER_MS;
  }
  return null;
}
