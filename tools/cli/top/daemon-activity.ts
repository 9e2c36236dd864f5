/** Computes the activity of daemons between two updates, from their counts since they started. */
import type { DaemonFigures } from "../status/daemon-figures.js";
import type { DaemonStatus } from "../status/read-status.js";

/** Maximum number of updates whose rates are shown. */
const UPDATES_MAX = 24;
const MS_PER_SECOND = 1000;
const MICROSECONDS_PER_MS = 1000;

/** The activity of a daemon between the last two updates; counts are per second. */
export interface Activity {
  readonly commands: number;
  readonly errors: number;
  readonly refusals: number;
  /** Milliseconds within which 50 % (`p50`) or 99 % (`p99`) of the answers were sent, or null without answers. */
  readonly p50: number | null;
  readonly p99: number | null;
}

interface Update {
  readonly at: number;
  readonly figures: DaemonFigures;
}

/** The activities of the listed daemons in their last updates. */
export class Activities {
  readonly #last = new Map<string, Update>();
  readonly #now = new Map<string, Activity>();
  readonly #rates = new Map<string, number[]>();

  /** Adds an update. @param now  milliseconds of a monotonic clock */
  update(daemons: readonly DaemonStatus[], now: number): void {
    for (const { address, figures } of daemons) {
      const before = this.#last.get(address);
      this.#last.delete(address);
      this.#now.delete(address);
      if (figures === null) continue;
      this.#last.set(address, { at: now, figures });
      // The counts of a restarted daemon begin again at 0.
      if (before === undefined || now <= before.at || figures.commands < before.figures.commands) continue;
      const activity = activityOf(before.figures, figures, (now - before.at) / MS_PER_SECOND);
      this.#now.set(address, activity);
      this.#rates.set(address, [...this.ratesOf(address), activity.commands].slice(-UPDATES_MAX));
    }
  }

  /** Returns a daemon's activity, or null before the second update. */
  of(address: string): Activity | null {
    return this.#now.get(address) ?? null;
  }

  /** Returns a daemon's commands per second, the latest last. */
  ratesOf(address: string): readonly number[] {
    return this.#rates.get(address) ?? [];
  }
}

function activityOf(before: DaemonFigures, after: DaemonFigures, seconds: number): Activity {
  const rate = (name: "commands" | "errors" | "refusals") =>
    Math.max(0, after[name] - before[name]) / seconds;
  const times = after.times.map(([max, count], index): [number, number] => [
    max,
    Math.max(0, count - (before.times[index]?.[1] ?? 0)),
  ]);
  return {
    commands: rate("commands"),
    errors: rate("errors"),
    refusals: rate("refusals"),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
  };
}

/**
 * Returns the upper end, in milliseconds, of the bucket in which the given share of the answers is reached, or null
 * without answers.
 */
export function quantile(times: DaemonFigures["times"], share: number): number | null {
  const all = times.reduce((sum, [, count]) => sum + count, 0);
  let sum = 0;
  for (const [max, count] of times) {
    sum += count;
    if (count > 0 && sum >= all * share) return max / MICROSECONDS_PER_MS;
  }
  return null;
}
