/** The first failure of a timeline's disk. From then on the timeline accepts no entry. */
import { FAILED } from "./entries/timeline-logger.js";
import type { TimelineParts } from "./timeline-environment.js";

export class DiskFailure {
  /** The reason, or null if the disk has not failed. */
  reason: string | null = null;
  readonly #parts: TimelineParts;
  readonly #onFailed: () => void;

  /** @param onFailed  called once, after the owner was notified */
  constructor(parts: TimelineParts, onFailed: () => void = () => {}) {
    this.#parts = parts;
    this.#onFailed = onFailed;
  }

  /** Logs the first problem, and reports it to the owner; ignores later problems. */
  readonly report = ({ message }: Error): void => {
    if (this.reason !== null) return;
    this.reason = message;
    this.#parts.log.error({ reason: message }, FAILED);
    this.#parts.handlers.failed(message);
    this.#onFailed();
  };
}
