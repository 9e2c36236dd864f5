/**
 * Entries that were found damaged here while the state had them, and that nobody gives anew. Who starts folds without them, and so
 * have the others: the state is to be theirs, so it is folded anew without. Each is told, as its effect goes with that.
 */
import { dateText, hexOf } from "../protocol/envelope.js";
import type { Archive } from "./archive.js";
import type { SnapshotMaking } from "./snapshot-making.js";
import type { Storage } from "./storage.js";
import type { TimelineLog } from "./timeline-log.js";

export interface DamagedInStateParts {
  readonly archive: Pick<Archive, "damagedInState">;
  readonly making: Pick<SnapshotMaking, "outdated"> | null;
  readonly storage: Pick<Storage, "put">;
  readonly log: TimelineLog;
  /** Whether nothing is folded anew now. */
  readonly isServing: () => boolean;
  /** Folds anew what can be read. */
  readonly refold: () => void;
}

export class DamagedInState {
  readonly #parts: DamagedInStateParts;

  constructor(parts: DamagedInStateParts) {
    this.#parts = parts;
  }

  /** Date of the last one; milliseconds since 1970; null: there are none. */
  get lastAt(): number | null {
    return this.#parts.archive.damagedInState.at(-1)?.at ?? null;
  }

  /** Nobody has them: the state goes on without. A refold that runs may do it as well, and is waited for. */
  letGo(): void {
    const { archive, making, storage, log, isServing, refold } = this.#parts;
    const places = archive.damagedInState;
    const [first] = places;
    if (first === undefined || !isServing()) return;
    for (const { at, id } of places) log.error({ at: dateText(at), id: hexOf(id) }, LOST);
    // Snapshots that were made of one hold no more.
    const mark = making?.outdated(first.at) ?? null;
    if (mark !== null) storage.put([], [mark]);
    refold();
  }
}

const LOST =
  "an entry of the timeline is damaged, and no member has it either: its effect is taken out of the state, as the others do not " +
  "have it. Its signer can look and write again";
