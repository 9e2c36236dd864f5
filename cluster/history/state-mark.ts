/**
 * Notes in the data folder whether the daemon is catching up, so that what reads the folder alone (`dbsync backup`, `dbsync log verify`)
 * knows that entries may be missing from it. A daemon that stops while it catches up leaves the note.
 */
import type { DaemonState } from "../../protocol/version-2/messages-v2.js";
import type { Storage } from "../../timeline/entries/storage.js";

export interface StateMarkParts {
  readonly storage: Pick<Storage, "mark" | "put" | "isDurable">;
  readonly recorder: { readonly state: DaemonState };
  /** `failure`: why nothing is written any more; null: it is. */
  readonly timeline: { readonly failure: string | null };
}

const CATCHING_UP = "catching-up";

export class StateMark {
  readonly #parts: StateMarkParts;
  #noted: boolean;

  constructor(parts: StateMarkParts) {
    this.#parts = parts;
    this.#noted = isIncomplete(parts.storage);
  }

  tick(): void {
    const { storage, recorder, timeline } = this.#parts;
    const isCatchingUp = recorder.state === CATCHING_UP;
    if (isCatchingUp === this.#noted || !storage.isDurable || timeline.failure !== null) return;
    this.#noted = isCatchingUp;
    storage.put([], [["state", Buffer.from(isCatchingUp ? CATCHING_UP : "complete")]]);
  }
}

/** Whether the daemon of a folder is catching up, or was when it stopped. Older versions note nothing. */
export function isIncomplete(storage: { mark(name: "state"): Buffer | null }): boolean {
  return storage.mark("state")?.toString() === CATCHING_UP;
}
