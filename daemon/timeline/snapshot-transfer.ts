/**
 * Sends a snapshot to a member that is missing entries which no member stores any longer, and receives one for this
 * daemon. The receiver starts again from the snapshot and its own entries of later dates. Other modules decide which
 * snapshot may be trusted; this module checks that the snapshot has exactly the agreed bytes, and that its key ring
 * follows from signatures.
 * Source: daemon/timeline/README.md, docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import { inTurns, type Steps } from "../../protocol/steps.js";
import { MissingCode } from "../store/rows/command-families.js";
import { DigestIndex } from "./compare/digest-index.js";
import type { DiskFailure } from "./disk-failure.js";
import {
  type EntriesToDrop,
  type FoundOrphans,
  findEntriesToDrop,
  type ReceivedSnapshot,
} from "./lost-entries.js";
import type { Retention } from "./retention.js";
import type { ServingFold } from "./serving-fold.js";
import { storeReplacedData } from "./snapshots/replaced-data.js";
import { DamagedSnapshot, readSnapshot } from "./snapshots/snapshot.js";
import type { Cut, SnapshotMaking } from "./snapshots/snapshot-schedule.js";
import type { SnapshotSeal, StagedSnapshot } from "./snapshots/snapshot-stores.js";
import { LaterSteps, type TimelineParts } from "./timeline-environment.js";
import type { VoidLetters } from "./void-letters.js";

/** Milliseconds for which no entries are removed after a call of `hold`. */
const HOLD_MS = 5000;

/** A snapshot that can be sent to a member. */
export interface SendableSnapshot {
  /** It contains everything dated up to this date; milliseconds since 1970. */
  readonly cutAt: number;
  readonly bytes: number;
  /** A caller that starts the iterator must run it to its end or call its `return`. */
  readonly chunks: Iterable<Buffer>;
}

/** The handlers of the events of adopting a snapshot. */
export interface AdoptionHandlers {
  /**
   * Returns whether the snapshot is still needed. Called when all of it has arrived and been checked, directly before
   * it is adopted.
   */
  isWanted(): boolean;
  /**
   * Called when the previous entries have been copied to a separate folder.
   * @param name  the name of the copy, or null if there is no disk
   */
  onAside(name: string | null): void;
  /** Reports which entries the adoption loses, even if there are none; called before they are lost. */
  onOrphaned(orphans: FoundOrphans): void;
  /** Called when the timeline has started again. */
  onAdopted(): void;
  /** Called after a failure. Before `onOrphaned` nothing has changed; after it the timeline has failed too. */
  onFailed(problem: Error): void;
}

/** A snapshot that has arrived, and the agreed snapshot that it must equal. */
interface Arrived {
  readonly staged: StagedSnapshot;
  readonly agreed: SnapshotSeal;
  readonly handlers: AdoptionHandlers;
}

/** The parts of the timeline whose state a snapshot replaces. */
interface TransferParts {
  readonly folding: ServingFold;
  readonly retention: Retention;
  readonly voidLetters: VoidLetters;
  readonly failure: DiskFailure;
}

export class SnapshotTransfer {
  /**
   * The number of times that a member's snapshot has replaced the entries here. After each
   * replacement, earlier reports may no longer be true.
   */
  adoptions = 0;
  readonly #parts: TimelineParts;
  readonly #folding: ServingFold;
  readonly #retention: Retention;
  readonly #voidLetters: VoidLetters;
  readonly #failure: DiskFailure;
  #holdsUntil = Number.NEGATIVE_INFINITY;
  #retainsFrom = Number.POSITIVE_INFINITY;
  readonly #later: LaterSteps;

  constructor(parts: TimelineParts, { folding, retention, voidLetters, failure }: TransferParts) {
    this.#later = new LaterSteps(parts.soon);
    this.#parts = { ...parts, soon: this.#later.soon };
    this.#folding = folding;
    this.#retention = retention;
    this.#voidLetters = voidLetters;
    this.#failure = failure;
  }

  /** Stops without finishing. The next start begins with the previous state, or with the snapshot's state. */
  stop(): void {
    this.#later.stop();
  }

  /**
   * Returns the snapshot of a date, for a member that is missing pruned entries, or null if there is no valid snapshot
   * of that date.
   */
  sendable(cutAt: number): SendableSnapshot | null {
    const cut = this.cuts.find(({ at }) => at === cutAt);
    const chunks =
      cut === undefined ? null : (this.#folding.entryStore.making?.snapshots.read(cutAt) ?? null);
    return cut === undefined || chunks === null ? null : { cutAt, bytes: cut.bytes, chunks };
  }

  /** The valid snapshots of this daemon in ascending order: members compare them. */
  get cuts(): readonly Cut[] {
    return this.#folding.entryStore.making?.cuts ?? [];
  }

  /**
   * Called when a member is missing entries that could not be sent. The next snapshot is made as soon as there is a
   * date for it.
   * @param after  the snapshot must have a later date; milliseconds since 1970, or -1 for any date
   */
  want(after: number): void {
    this.#folding.entryStore.making?.requireAfter(after);
  }

  /** Whether an entry up to this date was found damaged here and not received again. */
  hasLost(date: number): boolean {
    return this.#folding.entryStore.lastDamagedUpTo(date) !== null;
  }

  /** Records that enough members have the same snapshot of a date, so that everything before it may be pruned. */
  certify(date: number): void {
    this.#folding.entryStore.making?.certify(date);
  }

  /** The stored votes on snapshots that members, including this one, have signed, or null if there are none. */
  get votes(): Buffer | null {
    return this.#parts.storage.mark("votes");
  }

  /** @param stored  called when the votes are on the disk; not called after a failure, which is reported elsewhere */
  storeVotes(votes: Buffer, stored: () => void): void {
    this.#parts.storage.put([], [["votes", votes]]);
    this.#parts.storage.synced().then(stored, () => {});
  }

  /** Stops pruning for a few seconds, because a member needs the entries. */
  hold(): void {
    this.#holdsUntil = this.#parts.uptime() + HOLD_MS;
  }

  /** The date from which entries are retained while there is space; milliseconds since 1970. */
  get retainsFrom(): number {
    return this.#parts.uptime() < this.#holdsUntil ? Number.NEGATIVE_INFINITY : this.#retainsFrom;
  }

  /** Sets the date from which members may be missing entries, or may have additional entries. */
  retainFrom(date: number): void {
    this.#retainsFrom = date;
  }

  /** Begins to receive a member's snapshot. */
  stage(cutAt: number): StagedSnapshot {
    return this.#making.snapshots.stage(cutAt);
  }

  get #making(): SnapshotMaking {
    const { making } = this.#folding.entryStore;
    if (making === null) throw new Error("this timeline stores no snapshots");
    return making;
  }

  /** Adopts a snapshot that has arrived completely. @param agreed  the snapshot that it must equal */
  adopt(staged: StagedSnapshot, agreed: SnapshotSeal, handlers: AdoptionHandlers): void {
    this.#adopt({ staged, agreed, handlers }).then(
      () => handlers.onAdopted(),
      (problem: Error) => {
        if (problem instanceof MissingCode) this.#folding.fold.missingCode ??= problem.message;
        handlers.onFailed(problem);
      },
    );
  }

  /** Rejects without a change if the snapshot cannot be read or stored; a later problem fails the timeline. */
  async #adopt(arrived: Arrived): Promise<void> {
    const { staged, handlers } = arrived;
    const folding = this.#folding;
    const received = await inTurns(this.#check(arrived), this.#parts);
    if (!handlers.isWanted()) throw new Error("it is no longer needed");

    let toDrop: EntriesToDrop | null = null;
    try {
      await this.#making.expect(staged.cutAt);
      folding.isOpen = false;
      await this.#becomeIdle();
      await this.#storeAside(arrived);
      toDrop = await findEntriesToDrop(this.#parts, folding.entryStore, received, staged.cutAt);
      await staged.commit();
    } catch (problem) {
      toDrop?.deadLetters?.discard();
      this.#making.cancelExpected();
      folding.isOpen = true;
      throw problem;
    }

    try {
      await this.#begin(staged, toDrop, handlers);
    } catch (problem) {
      // After a stop the only possible problem is that the disk is closed.
      if (!this.#later.isStopped) this.#failure.report(problem as Error);
      throw problem;
    }
  }

  /** Copies the previous entries before anything is changed: an operator may want them back. */
  async #storeAside({ staged, handlers }: Arrived): Promise<void> {
    const { storage, openReplacedData, soon } = this.#parts;
    if (storage.last() === null && this.#making.base === null) return;
    const turn = () => new Promise<void>((resolve) => soon(resolve));
    const source = { storage, snapshots: this.#making.snapshots };
    handlers.onAside(
      openReplacedData === null
        ? null
        : await storeReplacedData(source, await openReplacedData(staged.cutAt), turn),
    );
  }

  async #begin(staged: StagedSnapshot, toDrop: EntriesToDrop, handlers: AdoptionHandlers): Promise<void> {
    const { cutAt } = staged;
    const { entryStore } = this.#folding;
    const { orphans, deadLetters, dropped, marks } = toDrop;

    this.adoptions++;
    handlers.onOrphaned(orphans);
    const index = await entryStore.adopt(cutAt, [this.#making.adopt(cutAt), ...marks], dropped);

    // Do not settle earlier: after a crash before this point, only the previous snapshot matches the entries on disk.
    staged.settle();
    deadLetters?.settle();
    this.#retention.adopted();
    await this.#folding.open(index);
  }

  /** Waits until no refold runs, no dead letters are being stored, and everything is on the disk. */
  async #becomeIdle(): Promise<void> {
    const { soon, storage } = this.#parts;
    await this.#voidLetters.idle();
    while (this.#folding.refolding.isRunning && this.#failure.reason === null) {
      // The refold waits for the disk too. Without this wait, the loop would only burn CPU until the disk is ready.
      await storage.flushed();
      await new Promise<void>((resolve) => soon(resolve));
    }
    await storage.synced();
  }

  /** Reads the snapshot to its end. If this succeeds, the next start can read the snapshot too. */
  *#check({ staged, agreed }: Arrived): Steps<ReceivedSnapshot> {
    const { bytes, seal } = staged.seal;
    if (bytes !== agreed.bytes || seal !== agreed.seal)
      throw new DamagedSnapshot("it is not the one that members have signed");
    const { refusesRing } = this.#parts;
    const { cutAt, ring, sums, ringOrderKeys } = yield* readSnapshot(staged.read(), this.#parts, refusesRing);
    if (cutAt !== staged.cutAt) throw new DamagedSnapshot(`a snapshot of ${cutAt}, not of ${staged.cutAt}`);
    const index = new DigestIndex();
    index.restore(sums, ringOrderKeys);
    return { index, ring };
  }
}
