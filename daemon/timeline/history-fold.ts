/**
 * Recalls history. A recall folds the entries on disk again, from a snapshot or from the beginning, up to a date. It
 * runs in slices, separately from the serving fold, and changes nothing. It yields the outcome of each unit, and the
 * state at that date.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { inTurns, type Steps, type TurnClock } from "../../protocol/steps.js";
import { commandsIn, dateText, unitsIn } from "../../protocol/version-2/envelope.js";
import { MissingCode } from "../store/rows/command-families.js";
import type { Entry } from "./entries/entry.js";
import type { MarkSource, Storage } from "./entries/storage.js";
import type { Fold, UnitAnswer } from "./fold/fold.js";
import { Refold } from "./snapshots/refold.js";
import type { Beginning } from "./snapshots/ring-entries.js";
import { DamagedSnapshot } from "./snapshots/snapshot.js";
import { storedSnapshots } from "./snapshots/snapshot-schedule.js";
import type { SnapshotSource } from "./snapshots/snapshot-stores.js";

/** The maximum number of concurrent recalls. Each has a separate state in memory, as large as the served state. */
const RECALLS_MAX = 2;
/** The maximum duration of a recall in milliseconds. It is the longest deadline of a client. */
export const RECALL_MS_MAX = 20_000;

export interface RecallPlan {
  /** The date from which each entry must be folded. Earlier entries may be replaced by a snapshot dated before it. */
  readonly from: number;
  /** The date after which entries are left out. */
  readonly until: number;
  /**
   * Receives the initial fold. Called again if the snapshot turns out to be damaged, so that the recall begins again.
   */
  readonly begun: (fold: Fold) => void;
  readonly found: (entry: Entry, answers: readonly UnitAnswer[]) => void;
}

export interface Recalled {
  /** The fold after the last entry. */
  readonly fold: Fold;
  /** The date of the snapshot that the recall began with, or null if it began empty. */
  readonly snapshot: number | null;
  /** The number of entries that could not be read. The recalled state may differ from the original because of them. */
  readonly damaged: number;
}

/** The error of a recall. The message is a sentence for the user that requested it. */
export class RecallFailure extends Error {
  override readonly name = "RecallFailure";
}

/** A unit of an entry: one command, several commands, or with `multi` or `if` all commands of the entry. */
export interface RecalledUnit {
  readonly entry: Entry;
  /** The index of its first command in its entry. */
  readonly index: number;
  readonly commands: readonly (readonly ByteString[])[];
  readonly answer: UnitAnswer;
}

export function recalledUnits(entry: Entry, answers: readonly UnitAnswer[]): RecalledUnit[] {
  const { envelope } = entry;
  return unitsIn(envelope).map((range, i) => ({
    entry,
    index: range.index,
    answer: answers[i] as UnitAnswer,
    commands: commandsIn(envelope, range),
  }));
}

export class Recalls {
  readonly #storage: Storage;
  readonly #snapshots: SnapshotSource | null;
  readonly #beginning: Beginning;
  readonly #clock: TurnClock;
  /** The functions that reject the running recalls. */
  readonly #running = new Set<(problem: RecallFailure) => void>();

  /** @param snapshots  null if there are no snapshots */
  constructor(storage: Storage, snapshots: SnapshotSource | null, beginning: Beginning, clock: TurnClock) {
    this.#storage = storage;
    this.#snapshots = snapshots;
    this.#beginning = beginning;
    this.#clock = clock;
  }

  get running(): number {
    return this.#running.size;
  }

  /** The first date from which a recall can begin. */
  get earliest(): number {
    const oldest = this.#beginnings(Number.POSITIVE_INFINITY).at(-1);
    if (oldest === undefined) return Number.MAX_SAFE_INTEGER;
    return oldest === null ? 0 : oldest + 1;
  }

  /** Runs a recall. It may or may not include entries that arrive in the meantime. Rejects with RecallFailure. */
  async run(plan: RecallPlan): Promise<Recalled> {
    const [snapshot] = this.#beginnings(plan.from);
    if (snapshot === undefined) throw new RecallFailure(this.#tooEarly(plan.from));
    if (this.#running.size >= RECALLS_MAX)
      throw new RecallFailure(
        `${RECALLS_MAX} other requests for history are running: try again when they are done`,
      );

    const running = this.#running;
    return await new Promise<Recalled>((resolve, reject) => {
      running.add(reject);
      const isWanted = () => running.has(reject);
      this.#recall(plan, isWanted)
        .finally(() => running.delete(reject))
        .then(resolve, reject);
    });
  }

  /** Ends all running recalls. */
  stop(): void {
    for (const reject of this.#running) reject(new RecallFailure(STOPPED));
    this.#running.clear();
  }

  /** @param isWanted  returns false when the recall was stopped and must not continue */
  async #recall(plan: RecallPlan, isWanted: () => boolean): Promise<Recalled> {
    // Answered writes may still be in flight to the disk.
    await this.#storage.flushed().catch(({ message }: Error) => {
      throw new RecallFailure(message);
    });
    if (!isWanted()) throw new RecallFailure(STOPPED);

    const endsAt = this.#clock.uptime() + RECALL_MS_MAX;
    const beginnings = this.#beginnings(plan.from);
    for (let attempt = 0; ; attempt++) {
      const snapshot = beginnings[attempt] as number | null;
      const { refold, damaged } = this.#refold(plan, snapshot);
      try {
        const fold = await inTurns(this.#until(refold.steps, endsAt), this.#clock, { isWanted });
        if (prunedTo(this.#storage) > (snapshot ?? -1)) throw new RecallFailure(REMOVED);
        return { fold, snapshot, damaged: damaged() };
      } catch (problem) {
        if (problem instanceof MissingCode) throw new RecallFailure(problem.message);
        if (!(problem instanceof DamagedSnapshot) || attempt + 1 >= beginnings.length) throw problem;
      }
    }
  }

  /**
   * Runs steps until they are done or a time is reached.
   * @param endsAt  `uptime` milliseconds
   * @throws RecallFailure  the time was reached before the steps were done
   */
  *#until(steps: Steps<Fold>, endsAt: number): Steps<Fold> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (this.#clock.uptime() > endsAt)
        throw new RecallFailure(`after ${RECALL_MS_MAX / 1000} s it was not complete: ${SHORTER}`);
      yield;
    }
  }

  #refold({ until, begun, found }: RecallPlan, from: number | null) {
    let damaged = 0;

    const refold = new Refold({
      ...this.#beginning,
      storage: this.#storage,
      snapshots: this.#snapshots,
      from,
      until,
      begun,
      found,
      tailEnd: until,
      tailBytes: Number.POSITIVE_INFINITY,
      index: null,
      skips: () => false,
      damaged: () => {
        damaged++;
      },
    });

    return { refold, damaged: () => damaged };
  }

  /** Returns the snapshots that a fold may begin with, the best first. Null means that the fold begins empty. */
  #beginnings(from: number): (number | null)[] {
    const files = new Set(this.#snapshots?.list() ?? []);
    const kept = prunedTo(this.#storage);
    const dates = storedSnapshots(this.#storage).filter(
      (date) => files.has(date) && date < from && date >= kept,
    );
    // Pruned entries exist only in snapshots.
    return [...dates.sort((a, b) => b - a), ...(kept < 0 ? [null] : [])];
  }

  #tooEarly(from: number): string {
    const { earliest } = this;
    const kept =
      earliest < Number.MAX_SAFE_INTEGER
        ? `request dates starting at ${earliest} (${dateText(earliest)})`
        : "nothing is available at the moment";
    return `entries up to ${from - 1} are no longer stored: ${kept}`;
  }
}

/** Returns the date up to which entries are no longer stored, or -1 if all are stored. */
function prunedTo(storage: MarkSource): number {
  const mark = storage.mark("pruned");
  return mark === null ? -1 : Number(mark.toString());
}

const STOPPED = "the daemon stops";
const REMOVED = "some of the entries of that time were removed in the meantime (--retain): try again";
const SHORTER = "request a later FROM, or check the folder itself (dbsync log verify)";
