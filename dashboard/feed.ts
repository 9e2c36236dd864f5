/** What the daemon tells, as it comes; whether it still does; and asking again where it does not. */
import type { DashboardFrame } from "../protocol/json/dashboard-frame.js";

/** Frames come each second. */
const SILENT_MS = 4000;
const LOOK_MS = 1000;
const AGAIN_MS = 3000;

export interface FeedOwner {
  frame(frame: DashboardFrame): void;
  /** @param silentMs  null: all is well */
  silent(silentMs: number | null): void;
}

export class Feed {
  readonly #owner: FeedOwner;
  #source: EventSource | null = null;
  #heardAt = performance.now();
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(owner: FeedOwner) {
    this.#owner = owner;
    this.#ask();
    setInterval(() => this.#look(), LOOK_MS);
  }

  #ask(): void {
    this.#source?.close();
    this.#askedAt = performance.now();
    this.#source = new EventSource("/events");
    this.#source.onmessage = ({ data }: MessageEvent<string>) => {
      this.#heardAt = performance.now();
      this.#owner.frame(JSON.parse(data) as DashboardFrame);
    };
  }

  /** A browser asks again by itself, but gives up where it is answered by anything else, and hangs where nothing comes. */
  #look(): void {
    const now = performance.now();
    const silent = now - this.#heardAt;
    this.#owner.silent(silent < SILENT_MS ? null : silent);
    if (silent >= SILENT_MS && now - this.#askedAt >= AGAIN_MS) this.#ask();
  }
}
