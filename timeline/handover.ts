/**
 * A snapshot that one member hands to another, which lacks what no member keeps any more. Taking it over is a start anew: from
 * that snapshot, and from what is here of later dates. Who may be believed for it is decided elsewhere: here it has to be
 * the very bytes that were decided on, and its key ring has to follow from signatures.
 * Source: docs/decisions/0014-a-snapshot-is-handed-over-as-it-is.md, 0016-a-snapshot-needs-a-majority.md.
 */
import type { KeyRing } from "../store/key-ring.js";
import type { Archive } from "./archive.js";
import { DigestIndex } from "./compare/digest-index.js";
import { straysOf } from "./compare/strays.js";
import { type Entry, type Place, readPlace, writePlace } from "./entries/entry.js";
import { LaterSteps } from "./entries/later-steps.js";
import { inSlices, type Steps } from "./entries/steps.js";
import { readEntry } from "./entries/stored-value.js";
import type { Retention } from "./retention.js";
import { keepAside } from "./snapshots/aside.js";
import { DamagedSnapshot, readSnapshot } from "./snapshots/snapshot.js";
import type { SnapshotSeal, StagedSnapshot } from "./snapshots/snapshot-files.js";
import type { Cut, SnapshotMaking } from "./snapshots/snapshot-making.js";
import type { TimelineParts } from "./timeline-owner.js";
import { findUnverifiable } from "./unverifiable.js";

/** Milliseconds for which nothing is forgotten after a member asked for that. */
const HOLD_MS = 5000;
/** Strays that are told one by one. */
const STRAYS_TOLD = 200;

/** What a member may be given. */
export interface GivableSnapshot {
  /** Everything dated up to it is in it; milliseconds since 1970. */
  readonly cutAt: number;
  readonly bytes: number;
  /** Whoever begins the iterator runs it to its end or returns it. */
  readonly chunks: Iterable<Buffer>;
}

/** Entries of this daemon that are gone once it has taken a snapshot over. */
export interface LostEntries {
  /** With those that are forgotten here as well, so that nobody can say which they are. */
  readonly count: number;
  /** The first of them, as far as they can be read. */
  readonly entries: readonly Entry[];
}

/** Those that it is not made of, though its date is later. */
export interface FoundStrays extends LostEntries {
  /** It may be made of them, or not; some that are certain may be among them. */
  readonly possible: LostEntries;
  /** Later ones, signed with keys that it does not know: strays had added these. */
  readonly unverifiable: LostEntries;
}

/** Whom a daemon tells that takes a snapshot over. */
export interface AdoptionOwner {
  /** Asked when all has come and been checked, right before it begins. */
  isWanted(): boolean;
  /** What was here is kept aside, under this name; null: there is no disk to keep it on. */
  aside(name: string | null): void;
  /** What is lost with that; told before it is, and also if it is nothing. */
  strays(strays: FoundStrays): void;
  /** The timeline has begun anew. */
  adopted(): void;
  /** Behind `strays` the timeline has failed as well; before, nothing has changed. */
  failed(problem: Error): void;
}

export interface HandoverParts
  extends Pick<
    TimelineParts,
    "storage" | "hash" | "genesis" | "databases" | "soon" | "uptime" | "refusesRing" | "openAside"
  > {
  /** null: none are made, and nothing is forgotten. */
  readonly making: SnapshotMaking | null;
  readonly archive: Archive;
  readonly retention: Retention;
  /** Whether it folds anew. */
  readonly isRefolding: () => boolean;
  /** While it is not open nothing is taken from anybody; what was folded can still be read. */
  readonly setOpen: (isOpen: boolean) => void;
  /** Begins with what is on disk. @param index  empty, to be filled */
  readonly begin: (index: DigestIndex) => Promise<void>;
  /** The disk has failed. */
  readonly failed: (problem: Error) => void;
}

/** A snapshot that has been read to its end. */
interface Given {
  readonly index: DigestIndex;
  readonly ring: KeyRing;
}

/** A snapshot that has come, and what it has to be. */
interface Coming {
  readonly staged: StagedSnapshot;
  readonly agreed: SnapshotSeal;
  readonly owner: AdoptionOwner;
}

export class Handover {
  /** How often a member's snapshot has taken the place of what was here: what was said before need not be true any more. */
  adoptions = 0;
  readonly #parts: HandoverParts;
  #holdsUntil = Number.NEGATIVE_INFINITY;
  #keepsFrom = Number.POSITIVE_INFINITY;
  readonly #later: LaterSteps;

  constructor(parts: HandoverParts) {
    this.#later = new LaterSteps(parts.soon);
    this.#parts = { ...parts, soon: this.#later.soon };
  }

  /** What is under way is left as it is: the next start has what it had before, or what it takes over. */
  stop(): void {
    this.#later.stop();
  }

  /** The snapshot of a date, for a member that lacks forgotten entries; null: none of that date holds. */
  givable(cutAt: number): GivableSnapshot | null {
    const cut = this.cuts.find(({ at }) => at === cutAt);
    const chunks = cut === undefined ? null : (this.#parts.making?.snapshots.read(cutAt) ?? null);
    return cut === undefined || chunks === null ? null : { cutAt, bytes: cut.bytes, chunks };
  }

  /** The snapshots that hold here, rising: what members compare. */
  get cuts(): readonly Cut[] {
    return this.#parts.making?.cuts ?? [];
  }

  /**
   * A member could not be given what it lacks: the next snapshot is made as soon as there is a date for it.
   * @param after  the date is to be later; milliseconds since 1970; -1: it may be any
   */
  want(after: number): void {
    this.#parts.making?.want(after);
  }

  /** Whether something dated so early was found damaged here that nobody has given anew. */
  hasLost(date: number): boolean {
    return this.#parts.archive.lastDamagedUpTo(date) !== null;
  }

  /** Enough members have found the snapshot of a date the same: all before it may be forgotten. */
  certify(date: number): void {
    this.#parts.making?.certify(date);
  }

  /** What members, this one included, have signed of snapshots, as it was kept; null: nothing. */
  get votes(): Buffer | null {
    return this.#parts.storage.mark("votes");
  }

  /** @param kept  called when they are on the disk; never, if it fails, which is told elsewhere */
  keepVotes(votes: Buffer, kept: () => void): void {
    this.#parts.storage.put([], [["votes", votes]]);
    this.#parts.storage.synced().then(kept, () => {});
  }

  /** Nothing more is to be forgotten for some seconds: a member needs it. */
  hold(): void {
    this.#holdsUntil = this.#parts.uptime() + HOLD_MS;
  }

  /** What is dated at or after this is not forgotten while there is room; milliseconds since 1970. */
  get keepsFrom(): number {
    return this.#parts.uptime() < this.#holdsUntil ? Number.NEGATIVE_INFINITY : this.#keepsFrom;
  }

  /** Members may lack what is dated from then on, or have more of it. */
  keepFrom(date: number): void {
    this.#keepsFrom = date;
  }

  /** Begins one that a member gives. */
  stage(cutAt: number): StagedSnapshot {
    return this.#making.snapshots.stage(cutAt);
  }

  get #making(): SnapshotMaking {
    const { making } = this.#parts;
    if (making === null) throw new Error("this timeline has no place for snapshots");
    return making;
  }

  /** Takes over a snapshot that has come as a whole. @param agreed  what it has to be */
  adopt(staged: StagedSnapshot, agreed: SnapshotSeal, owner: AdoptionOwner): void {
    this.#adopt({ staged, agreed, owner }).then(
      () => owner.adopted(),
      (problem: Error) => owner.failed(problem),
    );
  }

  /** What cannot be read or kept changes nothing; what fails behind that fails the timeline. */
  async #adopt(coming: Coming): Promise<void> {
    const { staged, owner } = coming;
    const { failed } = this.#parts;
    const given = await inSlices(this.#check(coming), this.#parts);
    if (!owner.isWanted()) throw new Error("it is not needed any more");
    const { setOpen } = this.#parts;
    try {
      await this.#making.expect(staged.cutAt);
      setOpen(false);
      await this.#rest();
      await this.#keepAside(coming);
      await staged.commit();
    } catch (problem) {
      this.#making.expectNone();
      setOpen(true);
      throw problem;
    }
    try {
      await this.#begin(staged, given, owner);
    } catch (problem) {
      // Then it is no more than that the disk is closed.
      if (!this.#later.isStopped) failed(problem as Error);
      throw problem;
    }
  }

  /** Before anything is changed: an operator may want it back. */
  async #keepAside({ staged, owner }: Coming): Promise<void> {
    const { storage, openAside, soon } = this.#parts;
    if (storage.last() === null && this.#making.base === null) return;
    const turn = () => new Promise<void>((resolve) => soon(resolve));
    const source = { storage, snapshots: this.#making.snapshots };
    owner.aside(openAside === null ? null : await keepAside(source, await openAside(staged.cutAt), turn));
  }

  async #begin(staged: StagedSnapshot, given: Given, owner: AdoptionOwner): Promise<void> {
    const { cutAt } = staged;
    const { archive, retention, begin } = this.#parts;
    this.adoptions++;
    const { unknown, damaged } = await inSlices(
      findUnverifiable(this.#parts, given.ring, cutAt),
      this.#parts,
    );
    const strays = await this.#strays(given.index, cutAt);
    owner.strays({ ...strays, unverifiable: { count: unknown.length, entries: this.#read(unknown) } });
    const index = await archive.adopt(cutAt, this.#making.adopt(cutAt), [...unknown, ...damaged]);
    // Before, what it is not made of would be untold and there: a crash is to leave the one that it was made of.
    staged.settle();
    retention.adopted();
    await begin(index);
  }

  /** Until nothing moves any more. */
  async #rest(): Promise<void> {
    const { isRefolding, soon, storage } = this.#parts;
    while (isRefolding()) {
      // What it waits for as well: turns alone would come to no end before that.
      await storage.flushed();
      await new Promise<void>((resolve) => soon(resolve));
    }
    await storage.synced();
  }

  /** Reads it to its end: what can be read once can be begun with. */
  *#check({ staged, agreed }: Coming): Steps<Given> {
    const { bytes, seal } = staged.seal;
    if (bytes !== agreed.bytes || seal !== agreed.seal)
      throw new DamagedSnapshot("it is not the one that members have signed");
    const parts = { ...this.#parts, refuses: this.#parts.refusesRing };
    const { cutAt, restore, ring } = yield* readSnapshot(staged.read(), parts);
    if (cutAt !== staged.cutAt) throw new DamagedSnapshot(`a snapshot of ${cutAt}, not of ${staged.cutAt}`);
    const index = new DigestIndex();
    restore(index);
    return { index, ring };
  }

  async #strays(given: DigestIndex, cutAt: number): Promise<Omit<FoundStrays, "unverifiable">> {
    const { archive } = this.#parts;
    const { count, places, possible } = await inSlices(
      straysOf(archive.index, given, { cutAt, prunedTo: archive.prunedTo, most: STRAYS_TOLD }),
      this.#parts,
    );
    const read = (some: readonly Place[]) => this.#read(some.map(writePlace));
    return {
      count,
      entries: read(places),
      possible: { count: possible.count, entries: read(possible.places) },
    };
  }

  /** The first of some entries, as far as they can be read. */
  #read(places: readonly Buffer[]): Entry[] {
    const { storage, hash } = this.#parts;
    return places.slice(0, STRAYS_TOLD).flatMap((place) => {
      const value = storage.get(place);
      return (value === null ? null : readEntry(readPlace(place), value, hash)) ?? [];
    });
  }
}
