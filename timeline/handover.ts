/**
 * A snapshot that one member sends to another, which misses entries that no member stores any longer. The receiver
 * starts again from that snapshot, and from its own entries of later dates. Which snapshot may be trusted is decided
 * elsewhere: here it must be the very bytes that were decided on, and its key ring must follow from signatures.
 * Source: docs/decisions/0014-a-snapshot-is-handed-over-as-it-is.md, 0016-a-snapshot-needs-a-majority.md.
 */

import { inTurns, type Steps } from "../protocol/steps.js";
import { DigestIndex } from "./compare/digest-index.js";
import { LaterSteps } from "./entries/later-steps.js";
import type { Failure } from "./failure.js";
import type { Folding } from "./folding.js";
import { type FoundOrphans, findLosing, type Losing, type ReceivedSnapshot } from "./lost-entries.js";
import type { Retention } from "./retention.js";
import { keepAside } from "./snapshots/aside.js";
import { DamagedSnapshot, readSnapshot } from "./snapshots/snapshot.js";
import type { SnapshotSeal, StagedSnapshot } from "./snapshots/snapshot-files.js";
import type { Cut, SnapshotMaking } from "./snapshots/snapshot-making.js";
import type { TimelineParts } from "./timeline-owner.js";

/** Milliseconds for which nothing is removed after a member requested that. */
const HOLD_MS = 5000;

/** A snapshot that can be sent to a member. */
export interface GivableSnapshot {
  /** Everything dated up to it is in it; milliseconds since 1970. */
  readonly cutAt: number;
  readonly bytes: number;
  /** The caller that begins the iterator runs it to its end or returns it. */
  readonly chunks: Iterable<Buffer>;
}

/** Receives the events of taking a snapshot over. */
export interface AdoptionHandlers {
  /**
   * Whether the snapshot is still needed; called when all of it has arrived and been checked, right before it is
   * taken over.
   */
  isWanted(): boolean;
  /** The previous entries are stored aside, under this name; null: there is no disk to store them on. */
  onAside(name: string | null): void;
  /** Reports what is lost with that, also if it is nothing; called before it is lost. */
  onOrphaned(orphans: FoundOrphans): void;
  /** The timeline has started again. */
  onAdopted(): void;
  /** Before `onOrphaned` nothing has changed; after it the timeline has failed as well. */
  onFailed(problem: Error): void;
}

/** A snapshot that has arrived, and the one that it must be. */
interface Coming {
  readonly staged: StagedSnapshot;
  readonly agreed: SnapshotSeal;
  readonly handlers: AdoptionHandlers;
}

export class Handover {
  /**
   * The number of times that a member's snapshot has replaced the entries here. Earlier reports may no longer be true
   * then.
   */
  adoptions = 0;
  readonly #parts: TimelineParts;
  readonly #folding: Folding;
  readonly #retention: Retention;
  readonly #failure: Failure;
  #holdsUntil = Number.NEGATIVE_INFINITY;
  #keepsFrom = Number.POSITIVE_INFINITY;
  readonly #later: LaterSteps;

  constructor(parts: TimelineParts, folding: Folding, retention: Retention, failure: Failure) {
    this.#later = new LaterSteps(parts.soon);
    this.#parts = { ...parts, soon: this.#later.soon };
    this.#folding = folding;
    this.#retention = retention;
    this.#failure = failure;
  }

  /** Stops without finishing work under way: the next start has what it had before, or the snapshot. */
  stop(): void {
    this.#later.stop();
  }

  /**
   * Returns the snapshot of a date, for a member that misses forgotten entries; null: there is no valid one of that
   * date.
   */
  givable(cutAt: number): GivableSnapshot | null {
    const cut = this.cuts.find(({ at }) => at === cutAt);
    const chunks = cut === undefined ? null : (this.#folding.archive.making?.snapshots.read(cutAt) ?? null);
    return cut === undefined || chunks === null ? null : { cutAt, bytes: cut.bytes, chunks };
  }

  /** The snapshots that are valid here, ascending: members compare them. */
  get cuts(): readonly Cut[] {
    return this.#folding.archive.making?.cuts ?? [];
  }

  /**
   * Notes that a member misses entries that could not be sent: the next snapshot is made as soon as there is a date
   * for it.
   * @param after  the date is to be later; milliseconds since 1970; -1: it may be any
   */
  want(after: number): void {
    this.#folding.archive.making?.want(after);
  }

  /** Whether an entry up to this date was found damaged here and not received again. */
  hasLost(date: number): boolean {
    return this.#folding.archive.lastDamagedUpTo(date) !== null;
  }

  /** Enough members have found the snapshot of a date the same: all before it may be forgotten. */
  certify(date: number): void {
    this.#folding.archive.making?.certify(date);
  }

  /** The votes on snapshots that members, this one included, have signed, as they were stored; null: none. */
  get votes(): Buffer | null {
    return this.#parts.storage.mark("votes");
  }

  /** @param kept  called when they are on the disk; never if that fails, which is reported elsewhere */
  keepVotes(votes: Buffer, kept: () => void): void {
    this.#parts.storage.put([], [["votes", votes]]);
    this.#parts.storage.synced().then(kept, () => {});
  }

  /** Nothing more is to be forgotten for some seconds: a member needs it. */
  hold(): void {
    this.#holdsUntil = this.#parts.uptime() + HOLD_MS;
  }

  /** The date from which entries are retained while there is room; milliseconds since 1970. */
  get keepsFrom(): number {
    return this.#parts.uptime() < this.#holdsUntil ? Number.NEGATIVE_INFINITY : this.#keepsFrom;
  }

  /** Notes the date from which members may miss entries, or have more of them. */
  keepFrom(date: number): void {
    this.#keepsFrom = date;
  }

  /** Begins to receive a member's snapshot. */
  stage(cutAt: number): StagedSnapshot {
    return this.#making.snapshots.stage(cutAt);
  }

  get #making(): SnapshotMaking {
    const { making } = this.#folding.archive;
    if (making === null) throw new Error("this timeline stores no snapshots");
    return making;
  }

  /** Takes over a snapshot that has arrived completely. @param agreed  the one that it must be */
  adopt(staged: StagedSnapshot, agreed: SnapshotSeal, handlers: AdoptionHandlers): void {
    this.#adopt({ staged, agreed, handlers }).then(
      () => handlers.onAdopted(),
      (problem: Error) => handlers.onFailed(problem),
    );
  }

  /** Rejects without a change if the snapshot cannot be read or stored; a later problem fails the timeline. */
  async #adopt(coming: Coming): Promise<void> {
    const { staged, handlers } = coming;
    const folding = this.#folding;
    const received = await inTurns(this.#check(coming), this.#parts);
    if (!handlers.isWanted()) throw new Error("it is not needed any more");
    let losing: Losing | null = null;
    try {
      await this.#making.expect(staged.cutAt);
      folding.isOpen = false;
      await this.#rest();
      await this.#keepAside(coming);
      losing = await findLosing(this.#parts, folding.archive, received, staged.cutAt);
      await staged.commit();
    } catch (problem) {
      losing?.letters?.discard();
      this.#making.expectNone();
      folding.isOpen = true;
      throw problem;
    }
    try {
      await this.#begin(staged, losing, handlers);
    } catch (problem) {
      // After a stop the only problem is that the disk is closed.
      if (!this.#later.isStopped) this.#failure.report(problem as Error);
      throw problem;
    }
  }

  /** Copies the previous entries before anything is changed: an operator may want them back. */
  async #keepAside({ staged, handlers }: Coming): Promise<void> {
    const { storage, openAside, soon } = this.#parts;
    if (storage.last() === null && this.#making.base === null) return;
    const turn = () => new Promise<void>((resolve) => soon(resolve));
    const source = { storage, snapshots: this.#making.snapshots };
    handlers.onAside(
      openAside === null ? null : await keepAside(source, await openAside(staged.cutAt), turn),
    );
  }

  async #begin(staged: StagedSnapshot, losing: Losing, handlers: AdoptionHandlers): Promise<void> {
    const { cutAt } = staged;
    const { archive } = this.#folding;
    const { orphans, letters, dropped, marks } = losing;
    this.adoptions++;
    handlers.onOrphaned(orphans);
    const index = await archive.adopt(cutAt, [this.#making.adopt(cutAt), ...marks], dropped);
    // Before, what it is not made of would be untold and there: a crash is to leave the one that it was made of.
    staged.settle();
    letters?.settle();
    this.#retention.adopted();
    await this.#folding.open(index);
  }

  /** Waits until no refold runs and everything is on the disk. */
  async #rest(): Promise<void> {
    const { soon, storage } = this.#parts;
    while (this.#folding.refolding.isRunning && this.#failure.reason === null) {
      // The refold waits for the disk as well: turns alone would not end before that.
      await storage.flushed();
      await new Promise<void>((resolve) => soon(resolve));
    }
    await storage.synced();
  }

  /** Reads it to its end: what can be read once can be begun with. */
  *#check({ staged, agreed }: Coming): Steps<ReceivedSnapshot> {
    const { bytes, seal } = staged.seal;
    if (bytes !== agreed.bytes || seal !== agreed.seal)
      throw new DamagedSnapshot("it is not the one that members have signed");
    const { refusesRing } = this.#parts;
    const { cutAt, ring, sums, ringPlaces } = yield* readSnapshot(staged.read(), this.#parts, refusesRing);
    if (cutAt !== staged.cutAt) throw new DamagedSnapshot(`a snapshot of ${cutAt}, not of ${staged.cutAt}`);
    const index = new DigestIndex();
    index.restore(sums, ringPlaces);
    return { index, ring };
  }
}
