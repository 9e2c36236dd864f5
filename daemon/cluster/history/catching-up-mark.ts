/**
 * Records in the data folder whether the daemon is catching up, and whether it was admitted. Programs that only read
 * the folder (`dbsync backup`, `dbsync log verify`) then know that entries may be missing from it. The record remains
 * if the daemon stops while it is catching up.
 */
import { DAEMON_STATES } from "../../../protocol/daemon-states.js";
import type { Mark } from "../../timeline/entries/storage.js";
import type { Admitted } from "../peers/shared/cluster-state.js";
import type { Recorder } from "../replica/recorder.js";
import type { NodeState } from "../replica/replica-context.js";

const CATCHING_UP = "catching-up";
const COMPLETE = "complete";

export class StateMark {
  readonly #node: NodeState;
  readonly #recorder: Recorder;
  #marked: string;

  constructor(node: NodeState, recorder: Recorder) {
    this.#node = node;
    this.#recorder = recorder;
    this.#marked = markIn(node.storage);
  }

  tick(): void {
    const marks = this.changed();
    if (marks.length > 0) this.#node.storage.put([], marks);
  }

  /** Returns the mark if it has changed since the last call. The caller stores it. */
  changed(): readonly Mark[] {
    const { storage, timeline, peering } = this.#node;
    if (!storage.isDurable || timeline.failure !== null) return [];
    const state = DAEMON_STATES[this.#recorder.state].isComplete ? COMPLETE : CATCHING_UP;
    const mark = [state, peering.admission.admitted ?? []].flat().join(" ");
    // A folder without a mark is complete.
    if (mark === (this.#marked || COMPLETE)) return [];
    this.#marked = mark;
    return [["state", Buffer.from(mark)]];
  }
}

type MarkedFolder = { mark(name: "state"): Buffer | null };

const markIn = (storage: MarkedFolder): string => storage.mark("state")?.toString() ?? "";

/** Whether a folder's daemon is catching up, or was when it stopped. */
export const isIncomplete = (storage: MarkedFolder): boolean => markIn(storage).split(" ")[0] === CATCHING_UP;

/** Whether a folder's daemon was admitted. */
export function admittedIn(storage: MarkedFolder): Admitted {
  const [, admitted] = markIn(storage).split(" ");
  return admitted === "compared" || admitted === "alone" ? admitted : null;
}
