/** Receives the daemon's frames, reports for how long no frame has arrived, and reconnects if necessary. */
import type { DashboardFrame, DashboardHistory } from "../../../protocol/json/dashboard-frame.js";

/** Time without a frame after which the daemon counts as silent, in milliseconds. Frames arrive every second. */
const SILENT_MS = 3000;
const CHECK_MS = 500;
const RECONNECT_MS = 3000;

export interface FeedHandlers {
  frame(frame: DashboardFrame): void;
  /** Receives the figures of the last hour after each connection. */
  history(history: DashboardHistory): void;
  /** Reports silence. @param silentMs  milliseconds since the last frame, or null if frames are arriving */
  silent(silentMs: number | null): void;
}

export class Feed {
  readonly #handlers: FeedHandlers;
  #source: EventSource | null = null;
  #receivedAt = performance.now();
  #connectedAt = Number.NEGATIVE_INFINITY;

  constructor(handlers: FeedHandlers) {
    this.#handlers = handlers;
    this.#connect();
    setInterval(() => this.#check(), CHECK_MS);
  }

  #connect(): void {
    this.#source?.close();
    this.#connectedAt = performance.now();
    this.#source = new EventSource("/events");
    // The history is loaded once frames arrive, so that no sample is missing. Frames may repeat samples of the history.
    this.#source.onopen = () => void this.#readHistory();
    this.#source.onmessage = ({ data }: MessageEvent<string>) => {
      this.#receivedAt = performance.now();
      this.#handlers.frame(JSON.parse(data) as DashboardFrame);
    };
  }

  async #readHistory(): Promise<void> {
    try {
      const response = await fetch("/history");
      if (response.ok) this.#handlers.history((await response.json()) as DashboardHistory);
    } catch {
      // The connection was lost. After the next connection is opened, the history is read again.
    }
  }

  /** Reconnects after silence: a browser reconnects only after some errors, and not if a connection hangs. */
  #check(): void {
    const now = performance.now();
    const silent = now - this.#receivedAt;
    this.#handlers.silent(silent < SILENT_MS ? null : silent);
    if (silent >= SILENT_MS && now - this.#connectedAt >= RECONNECT_MS) this.#connect();
  }
}
