/**
 * Records in the data folder whether the daemon is catching up. Programs that only read the folder (`dbsync backup`,
 * `dbsync log verify`) then know that entries may be missing from it. The record remains if the daemon stops while it
 * is catching up.
 */
import { DAEMON_STATES } from "../../../protocol/daemon-states.js";
import type { Recorder } from "../replica/recorder.js";
import type { NodeState } from "../replica/replica-context.js";

const CATCHING_UP = "catching-up";

export class StateMark {
  readonly #node: NodeState;
  readonly #recorder: Recorder;
  #isMarked: boolean;

  constructor(node: NodeState, recorder: Recorder) {
    this.#node = node;
    this.#recorder = recorder;
    this.#isMarked = isIncomplete(node.storage);
  }

  tick(): void {
    const { storage, timeline } = this.#node;
    const isCatchingUp = !DAEMON_STATES[this.#recorder.state].isComplete;
    if (isCatchingUp === this.#isMarked || !storage.isDurable || timeline.failure !== null) return;
    this.#isMarked = isCatchingUp;
    storage.put([], [["state", Buffer.from(isCatchingUp ? CATCHING_UP : "complete")]]);
  }
}

/** Whether a folder's daemon is catching up, or was when it stopped. */
export function isIncomplete(storage: { mark(name: "state"): Buffer | null }): boolean {
  return storage.mark("state")?.toString() === CATCHING_UP;
}
