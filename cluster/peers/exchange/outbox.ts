/**
 * Entries to push to a member: bodies of own ones immediately, what it requests, what a reconciliation sends; in
 * batches, and no more on the way than a window that the member's `have` opens again. Long lists are walked, not
 * held.
 */

import { Queue } from "../../../net/process/queue.js";
import { type PackedEntry, packedBytes } from "../../../protocol/members/member-packing.js";
import { hexOf, signedBytes } from "../../../protocol/version-2/envelope.js";
import { type Place, readPlace } from "../../../timeline/entries/entry.js";
import type { MemberConnection } from "../connections/member-connection.js";
import type { ClusterState } from "../shared/cluster-state.js";
import type { Packer } from "./packing.js";
import type { AtOnce, ReplicationStates } from "./replication-states.js";

/** A list of order keys as timeline/compare/reconcile.ts makes it. */
export interface PlaceCursor {
  /** The next places, 42 bytes each, `count` at most; none: that was all. */
  next(count: number): readonly Buffer[];
}

/** The member that entries are pushed to. */
interface Pushed {
  readonly connection: MemberConnection;
  /** Its bit in sets of members. */
  readonly bit: number;
}

interface Giving {
  readonly cursor: PlaceCursor;
  /** Order keys taken from the cursor. */
  readonly walked: Queue<Place>;
  /** Called for each entry of it that is pushed, and when all have been. */
  readonly pushed: () => void;
  readonly done: () => void;
  isWalked: boolean;
}

/** Order keys to read from a cursor in one step. */
const WALK_PLACES = 128;

export class Outbox {
  readonly #cluster: ClusterState;
  readonly #connection: MemberConnection;
  readonly #states: ReplicationStates;
  readonly #bit: number;
  readonly #packer: Packer;
  #number = 0;
  /** Pushes on the way. */
  readonly #unacked = new Queue<{ readonly number: number; readonly bytes: number }>();
  #unackedBytes = 0;
  #ackedNumber = 0;
  readonly #atOnce = new Queue<AtOnce>();
  #atOnceBytes = 0;
  readonly #wanted = new Queue<Place>();
  #wantedCount = 0;
  #giving: Giving[] = [];
  #isScheduled = false;

  /** @param packer  the same for all members */
  constructor(cluster: ClusterState, { connection, bit }: Pushed, states: ReplicationStates, packer: Packer) {
    this.#cluster = cluster;
    this.#connection = connection;
    this.#bit = bit;
    this.#states = states;
    this.#packer = packer;
  }

  /** Entries that it has requested and not received, and pushes on the way. */
  get behind(): number {
    return this.#wantedCount + this.#number - this.#ackedNumber;
  }

  /** Bytes of pushes on the way. */
  get unackedBytes(): number {
    return this.#unackedBytes;
  }

  /** @returns false: there is no room, and the entry should be offered */
  pushAtOnce(entry: AtOnce): boolean {
    if (this.#atOnceBytes >= this.#cluster.limits.maxAtOnceBytes) return false;
    this.#atOnce.push(entry);
    this.#atOnceBytes += packedBytes(entry);
    this.#schedule();
    return true;
  }

  /** Pushes what the member requests. */
  pushWanted(places: readonly Place[]): void {
    const room = Math.max(0, this.#cluster.limits.maxRequested - this.#wantedCount);
    const taken = places.slice(0, room);
    for (const place of taken) this.#wanted.push(place);
    this.#wantedCount += taken.length;
    this.#schedule();
  }

  /**
   * Pushes the entries of a list.
   * @param pushed  called for each entry that is pushed
   * @param done  called when all have been pushed
   * @returns cancels the rest; `done` is not called then
   */
  give(cursor: PlaceCursor, pushed: () => void, done: () => void): () => void {
    const giving = { cursor, walked: new Queue<Place>(), pushed, done, isWalked: false };
    this.#giving.push(giving);
    this.#schedule();
    return () => {
      this.#giving = this.#giving.filter((other) => other !== giving);
    };
  }

  /** Notes that the member has dealt with all pushes up to this one. @returns false: it was never sent */
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
    this.#cluster.soon(() => {
      this.#isScheduled = false;
      if (this.#connection.isClosed) return;
      this.#pushBatch();
      this.#schedule();
    });
  }

  #hasRoom(): boolean {
    const { windowBytes, maxUnsentBytes } = this.#cluster.limits;
    return this.#unackedBytes < windowBytes && this.#connection.unsentBytes < maxUnsentBytes;
  }

  #hasWork(): boolean {
    return this.#atOnce.first !== undefined || this.#wantedCount > 0 || this.#giving.length > 0;
  }

  #pushBatch(): void {
    const { batchBytes, batchEntries, maxEnvelopeBytes } = this.#cluster.limits;
    const entries: PackedEntry[] = [];
    let bytes = 0;
    // Bounded by the number of order keys, since some entries are gone.
    for (let looked = 0; looked < batchEntries && bytes < batchBytes && this.#hasWork(); looked++) {
      const entry = this.#next();
      if (entry === null) continue;
      const length = packedBytes(entry);
      if (length > maxEnvelopeBytes) {
        this.#logTooLong(entry.body);
        continue;
      }
      entries.push(entry);
      bytes += length;
    }
    if (entries.length > 0) {
      const number = ++this.#number;
      this.#connection.send({ kind: "push", number, bytes, ...this.#packer.pack(entries) });
      this.#unacked.push({ number, bytes });
      this.#unackedBytes += bytes;
    }
    this.#endGiving();
  }

  #logTooLong(body: Buffer): void {
    const { hash, notices } = this.#cluster;
    const id = hash(signedBytes(body));
    notices.warn(`long entry ${id}`, { id: hexOf(id), bytes: body.length }, TOO_LONG);
  }

  /** Returns the next entry; null: it is gone, or the present list has just ended. */
  #next(): PackedEntry | null {
    const entry = this.#atOnce.shift();
    if (entry !== undefined) {
      this.#atOnceBytes -= packedBytes(entry);
      this.#states.of(entry.place).sent |= this.#bit;
      return entry;
    }
    const wanted = this.#wanted.shift();
    if (wanted !== undefined) {
      this.#wantedCount--;
      this.#states.of(wanted).sent |= this.#bit;
      return this.#cluster.timeline.read(wanted);
    }
    return this.#nextGiven();
  }

  #nextGiven(): PackedEntry | null {
    const giving = this.#giving.find(({ isWalked }) => !isWalked);
    if (giving === undefined) return null;
    const { walked } = giving;
    if (walked.first === undefined) {
      for (const place of giving.cursor.next(WALK_PLACES)) walked.push(readPlace(place));
      giving.isWalked = walked.first === undefined;
    }
    const place = walked.shift();
    const entry = place === undefined ? null : this.#cluster.timeline.read(place);
    if (entry !== null) giving.pushed();
    return entry;
  }

  #endGiving(): void {
    const ended = this.#giving.filter(({ isWalked }) => isWalked);
    if (ended.length === 0) return;
    this.#giving = this.#giving.filter(({ isWalked }) => !isWalked);
    for (const { done } of ended) done();
  }
}

const TOO_LONG = "an entry is longer than members take: it stays on this daemon alone";
