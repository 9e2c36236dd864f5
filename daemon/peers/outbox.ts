/**
 * What is to be pushed to a member: bodies at once, what it wants, what a reconciliation gives; in batches, and no more
 * on the way than a window that the member's `have` opens again. Long lists are walked, not held.
 */
import { type PackedEntry, packedBytes, writeEntries } from "../../protocol/member-packing.js";
import { type Entry, type Place, placeOf, readPlace } from "../../timeline/entry.js";
import { Queue } from "../queue.js";
import type { MemberConnection } from "./member-connection.js";
import { Packer } from "./packing.js";
import type { PeeringParts } from "./peering-parts.js";
import type { Traces } from "./traces.js";

/** As timeline/reconcile.ts makes it. */
export interface PlaceCursor {
  /** The next places, 42 bytes each, `count` at most; none: that was all. */
  next(count: number): readonly Buffer[];
}

interface Giving {
  readonly cursor: PlaceCursor;
  /** Called when all of it has been pushed, with how many entries. */
  readonly done: (entries: number) => void;
  entries: number;
  isWalked: boolean;
}

/** Places that are taken from a cursor in one go. */
const WALK_PLACES = 128;

export class Outbox {
  readonly #parts: Pick<PeeringParts, "timeline" | "soon" | "limits">;
  readonly #connection: MemberConnection;
  readonly #traces: Traces;
  readonly #bit: number;
  readonly #packer: Packer;
  #number = 0;
  /** Pushes on the way. */
  readonly #unacked = new Queue<{ readonly number: number; readonly bytes: number }>();
  #unackedBytes = 0;
  #ackedNumber = 0;
  readonly #atOnce = new Queue<Entry>();
  #atOnceBytes = 0;
  readonly #wanted = new Queue<Place>();
  #wantedCount = 0;
  #giving: Giving[] = [];
  /** From the first of `#giving`. */
  readonly #walked = new Queue<Place>();
  #isScheduled = false;

  constructor(parts: {
    readonly peering: Pick<PeeringParts, "timeline" | "soon" | "limits">;
    readonly connection: MemberConnection;
    readonly traces: Traces;
    readonly bit: number;
  }) {
    this.#parts = parts.peering;
    this.#connection = parts.connection;
    this.#traces = parts.traces;
    this.#bit = parts.bit;
    this.#packer = new Packer(parts.peering.limits);
  }

  /** Entries that it wants and has not got, and pushes on the way. */
  get behind(): number {
    return this.#wantedCount + this.#number - this.#ackedNumber;
  }

  /** @returns false: there is no room, and it should be offered */
  pushAtOnce(entry: Entry): boolean {
    if (this.#atOnceBytes >= this.#parts.limits.maxAtOnceBytes) return false;
    this.#atOnce.push(entry);
    this.#atOnceBytes += packedBytes(entry);
    this.#schedule();
    return true;
  }

  /** What the member asks for. */
  pushWanted(places: readonly Place[]): void {
    const room = Math.max(0, this.#parts.limits.maxWanted - this.#wantedCount);
    const taken = places.slice(0, room);
    for (const place of taken) this.#wanted.push(place);
    this.#wantedCount += taken.length;
    this.#schedule();
  }

  /** @param done  called when all of it has been pushed */
  give(cursor: PlaceCursor, done: (entries: number) => void): void {
    this.#giving.push({ cursor, done, entries: 0, isWalked: false });
    this.#schedule();
  }

  /** The member has dealt with all pushes up to this one. @returns false: it was never sent */
  acked(number: number): boolean {
    if (number > this.#number) return false;
    for (
      let { first } = this.#unacked;
      first !== undefined && first.number <= number;
      { first } = this.#unacked
    ) {
      this.#unackedBytes -= first.bytes;
      this.#ackedNumber = first.number;
      this.#unacked.shift();
    }
    this.#schedule();
    return true;
  }

  /** Tries again what the socket had no room for. */
  tick(): void {
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || !this.#hasRoom() || !this.#hasWork()) return;
    this.#isScheduled = true;
    this.#parts.soon(() => {
      this.#isScheduled = false;
      if (this.#connection.isClosed) return;
      this.#pushBatch();
      this.#schedule();
    });
  }

  #hasRoom(): boolean {
    const { windowBytes, maxUnsentBytes } = this.#parts.limits;
    return this.#unackedBytes < windowBytes && this.#connection.unsentBytes < maxUnsentBytes;
  }

  #hasWork(): boolean {
    return this.#atOnce.first !== undefined || this.#wantedCount > 0 || this.#giving.length > 0;
  }

  #pushBatch(): void {
    const { batchBytes, batchEntries } = this.#parts.limits;
    const entries: PackedEntry[] = [];
    let bytes = 0;
    // Bounded by places looked at, since some are gone.
    for (let looked = 0; looked < batchEntries && bytes < batchBytes && this.#hasWork(); looked++) {
      const entry = this.#next();
      if (entry === null) continue;
      entries.push(entry);
      bytes += packedBytes(entry);
    }
    if (entries.length > 0) {
      const number = ++this.#number;
      this.#connection.send({ kind: "push", number, bytes, ...this.#packer.pack(writeEntries(entries)) });
      this.#unacked.push({ number, bytes });
      this.#unackedBytes += bytes;
    }
    this.#endGiving();
  }

  /** The next entry; null: it is not there any more, or the list at hand has just ended. */
  #next(): PackedEntry | null {
    const entry = this.#atOnce.shift();
    if (entry !== undefined) {
      this.#atOnceBytes -= packedBytes(entry);
      this.#traces.of(placeOf(entry)).sent |= this.#bit;
      return entry;
    }
    const wanted = this.#wanted.shift();
    if (wanted !== undefined) {
      this.#wantedCount--;
      this.#traces.of(wanted).sent |= this.#bit;
      return this.#parts.timeline.read(wanted);
    }
    return this.#nextGiven();
  }

  #nextGiven(): PackedEntry | null {
    const giving = this.#giving.find(({ isWalked }) => !isWalked);
    if (giving === undefined) return null;
    if (this.#walked.first === undefined) {
      for (const place of giving.cursor.next(WALK_PLACES)) this.#walked.push(readPlace(place));
      giving.isWalked = this.#walked.first === undefined;
    }
    const place = this.#walked.shift();
    const entry = place === undefined ? null : this.#parts.timeline.read(place);
    if (entry !== null) giving.entries++;
    return entry;
  }

  #endGiving(): void {
    const ended = this.#giving.filter(({ isWalked }) => isWalked);
    if (ended.length === 0) return;
    this.#giving = this.#giving.filter(({ isWalked }) => !isWalked);
    for (const { done, entries } of ended) done(entries);
  }
}
