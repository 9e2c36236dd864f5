/**
 * A snapshot that one member hands to another, which lacks what no member keeps any more. Given is the one below which the
 * giver has forgotten everything, so that both take and refuse the same afterwards. Taking it over is a start anew: from
 * that snapshot, and from what is here of later dates.
 * Source: DESIGN.md "Members"; docs/decisions/0014-a-snapshot-is-handed-over-as-it-is.md.
 */
import type { KeyRing } from "../store/key-ring.js";
import type { Archive } from "./archive.js";
import { DigestIndex } from "./digest-index.js";
import { type Entry, readPlace, writePlace } from "./entry.js";
import type { Retention } from "./retention.js";
import { DamagedSnapshot, readSnapshot } from "./snapshot.js";
import type { StagedSnapshot } from "./snapshot-files.js";
import type { SnapshotMaking } from "./snapshot-making.js";
import { inSlices, type Steps } from "./steps.js";
import { readEntry } from "./stored-value.js";
import { straysOf } from "./strays.js";
import type { TimelineParts } from "./timeline-parts.js";
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

/** Those that it may not be made of, though its date is later. */
export interface FoundStrays extends LostEntries {
  /** Later ones, signed with keys that it does not know: strays had added these. */
  readonly unverifiable: LostEntries;
}

/** Whom a daemon tells that takes a snapshot over. */
export interface AdoptionOwner {
  /** What is lost with that; told before it is, and also if it is nothing. */
  strays(strays: FoundStrays): void;
  /** The timeline has begun anew. */
  adopted(): void;
  /** Behind `strays` the timeline has failed as well; before, nothing has changed. */
  failed(problem: Error): void;
}

export interface HandoverParts
  extends Pick<TimelineParts, "storage" | "hash" | "genesis" | "databases" | "soon" | "uptime"> {
  /** null: none are made, and nothing is forgotten. */
  readonly making: SnapshotMaking | null;
  readonly archive: Archive;
  readonly retention: Retention;
  /** Whether it folds anew. */
  readonly isRefolding: () => boolean;
  /** From now on nothing is taken from anybody; what was folded can still be read. */
  readonly close: () => void;
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

export class Handover {
  /** How often a member's snapshot has taken the place of what was here: what was said before need not be true any more. */
  adoptions = 0;
  readonly #parts: HandoverParts;
  #holdsUntil = Number.NEGATIVE_INFINITY;
  #keepsFrom = Number.POSITIVE_INFINITY;
  #isStopped = false;

  constructor(parts: HandoverParts) {
    const { soon } = parts;
    this.#parts = {
      ...parts,
      soon: (step) => {
        if (!this.#isStopped) soon(step);
      },
    };
  }

  /** What is under way is left as it is: the next start has what it had before, or what it takes over. */
  stop(): void {
    this.#isStopped = true;
  }

  /** What a member that lacks forgotten entries may be given; null: nothing has been forgotten. */
  get givable(): GivableSnapshot | null {
    const { making } = this.#parts;
    if (making === null || making.base === null) return null;
    const { base, snapshots } = making;
    const [bytes, chunks] = [snapshots.size(base), snapshots.read(base)];
    return bytes === null || chunks === null ? null : { cutAt: base, bytes, chunks };
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

  /** Takes over a snapshot that has come as a whole. */
  adopt(staged: StagedSnapshot, owner: AdoptionOwner): void {
    this.#adopt(staged, owner).then(
      () => owner.adopted(),
      (problem: Error) => owner.failed(problem),
    );
  }

  /** What cannot be read or kept changes nothing; what fails behind that fails the timeline. */
  async #adopt(staged: StagedSnapshot, owner: AdoptionOwner): Promise<void> {
    const { failed } = this.#parts;
    const given = await inSlices(this.#check(staged), this.#parts);
    try {
      await this.#making.expect(staged.cutAt);
      await staged.commit();
    } catch (problem) {
      this.#making.expectNone();
      throw problem;
    }
    try {
      await this.#begin(staged, given, owner);
    } catch (problem) {
      // Then it is no more than that the disk is closed.
      if (!this.#isStopped) failed(problem as Error);
      throw problem;
    }
  }

  async #begin(staged: StagedSnapshot, given: Given, owner: AdoptionOwner): Promise<void> {
    const { cutAt } = staged;
    const { archive, retention, close, begin } = this.#parts;
    close();
    this.adoptions++;
    await this.#rest();
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
  *#check(staged: StagedSnapshot): Steps<Given> {
    const { cutAt, index: saved, ring } = yield* readSnapshot(staged.read(), this.#parts);
    if (cutAt !== staged.cutAt) throw new DamagedSnapshot(`a snapshot of ${cutAt}, not of ${staged.cutAt}`);
    const index = new DigestIndex();
    index.restore(saved);
    return { index, ring };
  }

  async #strays(given: DigestIndex, cutAt: number): Promise<LostEntries> {
    const { archive } = this.#parts;
    const { count, places } = await inSlices(
      straysOf(archive.index, given, { cutAt, prunedTo: archive.prunedTo, most: STRAYS_TOLD }),
      this.#parts,
    );
    return { count, entries: this.#read(places.map(writePlace)) };
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
