/** Maximum number of samples of an event. */
const SAMPLES_MAX = 160;

interface LatencySample {
  /** The time in Unix seconds. */
  readonly at: number;
  readonly milliseconds: number;
}

interface LatencyEvent {
  /** The samples, oldest first. */
  readonly samples: readonly LatencySample[];
  readonly highest: number;
}

/**
 * Samples of slow commands for the LATENCY commands. For each event, the newest samples are stored, with only the
 * highest one of each second.
 */
export class LatencyLog {
  readonly #events = new Map<string, { samples: LatencySample[]; highest: number }>();

  get events(): ReadonlyMap<string, LatencyEvent> {
    return this.#events;
  }

  /** Adds a sample. @param milliseconds  is rounded down */
  add(name: string, at: number, milliseconds: number): void {
    const rounded = Math.floor(milliseconds);
    const event = this.#events.get(name) ?? { samples: [], highest: 0 };
    this.#events.set(name, event);
    event.highest = Math.max(event.highest, rounded);
    const last = event.samples.at(-1);
    if (last?.at === at) event.samples.pop();
    event.samples.push({ at, milliseconds: Math.max(rounded, last?.at === at ? last.milliseconds : 0) });
    if (event.samples.length > SAMPLES_MAX) event.samples.shift();
  }

  /** Removes events. @param names  the events; if empty, all events @returns the number of removed events */
  reset(names: readonly string[]): number {
    if (names.length > 0) return names.filter((name) => this.#events.delete(name)).length;
    const { size } = this.#events;
    this.#events.clear();
    return size;
  }
}
