/** Receives the daemon's frames, reports how long none has arrived, and reconnects. */
import type { DashboardFrame, DashboardHistory } from "../protocol/json/dashboard-frame.js";

/** Frames come each second. */
const SILENT_MS = 3000;
const LOOK_MS = 500;
const AGAIN_MS = 3000;

export interface FeedHandlers {
  frame(frame: DashboardFrame): void;
  /** The last hour, as the daemon has it; after each connection. */
  history(history: DashboardHistory): void;
  /** @param silentMs  null: frames come */
  silent(silentMs: number | null): void;
}

export class Feed {
  readonly #handlers: FeedHandlers;
  #source: EventSource | null = null;
  #heardAt = performance.now();
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(handlers: FeedHandlers) {
    this.#handlers = handlers;
    this.#ask();
    setInterval(() => this.#look(), LOOK_MS);
  }

  #ask(): void {
    this.#source?.close();
    this.#askedAt = performance.now();
    this.#source = new EventSource("/events");
    // Frames follow the history, and never leave a gap: what both have is the same.
    this.#source.onopen = () => void this.#readHistory();
    this.#source.onmessage = ({ data }: MessageEvent<string>) => {
      this.#heardAt = performance.now();
      this.#handlers.frame(JSON.parse(data) as DashboardFrame);
    };
  }

  async #readHistory(): Promise<void> {
    try {
      const response = await fetch("/history");
      if (response.ok) this.#handlers.history((await response.json()) as DashboardHistory);
    } catch {
      // The connection was lost: the next one reads it.
    }
  }

  /** A browser reconnects by itself, but gives up after any other answer, and hangs if nothing arrives. */
  #look(): void {
    const now = performance.now();
    const silent = now - this.#heardAt;
    this.#handlers.silent(silent < SILENT_MS ? null : silent);
    if (silent >= SILENT_MS && now - this.#askedAt >= AGAIN_MS) this.#ask();
  }
}
