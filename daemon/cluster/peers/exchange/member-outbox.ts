/**
 * Pushes entries to a member in batches: the daemon's own entries immediately, the entries that the member requests,
 * and the entries that a reconciliation found to be missing. A window limits the bytes in flight, and the member's
 * `have` messages reopen it. Long lists are read with a cursor, and never loaded completely.
 *
 * After a connection begins, the entries that the member is missing are pushed first. Otherwise it would have a later
 * write without an earlier one of the same daemon for a moment, and its clients would take what is already taken.
 */

import { type PackedEntry, packedBytes } from "../../../../protocol/members/member-elements.js";
import { Queue } from "../../../../protocol/queue.js";
import { hexOf, signedBytes } from "../../../../protocol/version-2/envelope.js";
import { type OrderKey, readOrderKey } from "../../../timeline/entries/entry.js";
import type { MemberConnection } from "../connections/member-connection.js";
import type { ClusterState } from "../shared/cluster-state.js";
import type { Packer } from "./entry-packing.js";
import type { ReplicationStates, UrgentEntry } from "./replication-states.js";

/** A list of order keys as daemon/timeline/compare/reconcile.ts makes it. */
export interface OrderKeyCursor {
  /** Returns the next order keys, 42 bytes each, at most `count`, or none if the list is complete. */
  next(count: number): readonly Buffer[];
}

/** The member that entries are pushed to. */
interface Pushed {
  readonly connection: MemberConnection;
  /** The member's bit in sets of members. */
  readonly bit: number;
}

interface ListPush {
  readonly cursor: OrderKeyCursor;
  /** Order keys that were read from the cursor. */
  readonly orderKeys: Queue<OrderKey>;
  /** Called for each entry of the list that is pushed. `done` is called when all entries have been pushed. */
  readonly pushed: () => void;
  readonly done: () => void;
  isRead: boolean;
}

/** Order keys to read from a cursor in one step. */
const CURSOR_ORDER_KEYS = 128;

export class MemberOutbox {
  readonly #cluster: ClusterState;
  readonly #connection: MemberConnection;
  readonly #states: ReplicationStates;
  readonly #bit: number;
  readonly #packer: Packer;
  #number = 0;
  /** Pushes in flight. */
  readonly #unacked = new Queue<{ readonly number: number; readonly bytes: number }>();
  #unackedBytes = 0;
  #ackedNumber = 0;
  readonly #urgent = new Queue<UrgentEntry>();
  #urgentBytes = 0;
  readonly #wanted = new Queue<OrderKey>();
  #wantedCount = 0;
  #lists: ListPush[] = [];
  /** The steps that run after the entries that wait now, in order. */
  #afterOwn: { readonly pushes: number; readonly step: () => void }[] = [];
  /** The numbers of entries that were added to `#urgent`, and that were pushed from it. */
  #urgentAdded = 0;
  #urgentPushed = 0;
  /**
   * How often own entries were not added to `#urgent`, so that only a comparison finds them: those from before the
   * connection, and those for which there was no space.
   */
  #skips = 1;
  /** The value of `#skips` at the beginning of the last complete comparison. */
  #comparedSkips = 0;
  #isScheduled = false;
  /** When new entries are pushed although the first comparison is not complete, as `uptime` milliseconds. */
  #newEntriesAt: number;

  /** @param packer  shared by all members */
  constructor(cluster: ClusterState, { connection, bit }: Pushed, states: ReplicationStates, packer: Packer) {
    this.#cluster = cluster;
    this.#connection = connection;
    this.#bit = bit;
    this.#states = states;
    this.#packer = packer;
    this.#newEntriesAt = cluster.uptime() + cluster.limits.missingFirstMs;
  }

  /** The number of requested entries that were not sent yet, plus the pushes in flight. */
  get pending(): number {
    return this.#wantedCount + this.#number - this.#ackedNumber;
  }

  /** Bytes of the pushes in flight. */
  get unackedBytes(): number {
    return this.#unackedBytes;
  }

  /** How often own entries had to be left to a comparison. */
  get skips(): number {
    return this.#skips;
  }

  /** @returns false if too many bytes wait; the caller should then offer the entry instead */
  pushUrgent(entry: UrgentEntry): boolean {
    if (this.#urgentBytes >= this.#cluster.limits.maxUrgentBytes) {
      this.#skips++;
      return false;
    }

    this.#urgent.push(entry);
    this.#urgentAdded++;
    this.#urgentBytes += packedBytes(entry);
    this.#schedule();
    return true;
  }

  /** Pushes the entries that the member requests. */
  pushWanted(orderKeys: readonly OrderKey[]): void {
    const room = Math.max(0, this.#cluster.limits.maxRequested - this.#wantedCount);
    const taken = orderKeys.slice(0, room);
    for (const orderKey of taken) this.#wanted.push(orderKey);
    this.#wantedCount += taken.length;
    this.#schedule();
  }

  /**
   * Pushes the entries of a list.
   * @param pushed  called for each entry that is pushed
   * @param done  called when all entries have been pushed
   * @returns a function that cancels the remaining pushes; `done` is then not called
   */
  pushList(cursor: OrderKeyCursor, pushed: () => void, done: () => void): () => void {
    const list = { cursor, orderKeys: new Queue<OrderKey>(), pushed, done, isRead: false };
    this.#lists.push(list);
    this.#schedule();
    return () => {
      this.#lists = this.#lists.filter((other) => other !== list);
    };
  }

  /** Runs a step once the member was sent all entries that this daemon has signed and that are on its disk now. */
  afterOwnPushes(step: () => void): void {
    this.#afterOwn.push({ pushes: this.#urgentAdded, step });
    this.#runAfterOwn();
  }

  /**
   * Called when the member has received, or was sent, all entries that it was missing.
   * @param skips  the value of `skips` when the comparison began
   */
  missingPushed(skips: number): void {
    this.#newEntriesAt = 0;
    this.#comparedSkips = Math.max(this.#comparedSkips, skips);
    this.#runAfterOwn();
    this.#schedule();
  }

  /** Records that the member has processed all pushes up to a number. @returns false if that push was never sent */
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

  /** Retries a push that the socket could not accept. */
  tick(): void {
    this.#schedule();
  }

  /**
   * Pushes the new entries that wait for the end of this turn, as far as the window permits: this daemon is stopping,
   * and its clients continue at the member, which would not have their last writes.
   */
  pushNow(): void {
    while (this.#pushesNew && this.#urgent.first !== undefined && this.#hasRoom()) this.#pushBatch();
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
    if (this.#lists.length > 0) return true;
    return this.#pushesNew && (this.#urgent.first !== undefined || this.#wantedCount > 0);
  }

  get #pushesNew(): boolean {
    return this.#newEntriesAt === 0 || this.#cluster.uptime() >= this.#newEntriesAt;
  }

  #runAfterOwn(): void {
    if (this.#comparedSkips < this.#skips) return;
    while ((this.#afterOwn[0]?.pushes ?? Number.POSITIVE_INFINITY) <= this.#urgentPushed)
      this.#afterOwn.shift()?.step();
  }

  #pushBatch(): void {
    const { batchBytes, batchEntries, maxEnvelopeBytes } = this.#cluster.limits;
    const entries: PackedEntry[] = [];
    let bytes = 0;

    // The number of order keys limits the loop, because some entries may no longer exist.
    for (let checked = 0; checked < batchEntries && bytes < batchBytes && this.#hasWork(); checked++) {
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

    this.#runAfterOwn();
    this.#endLists();
  }

  #logTooLong(body: Buffer): void {
    const { hash, notices } = this.#cluster;
    const id = hash(signedBytes(body));
    notices.warn(`long entry ${id}`, { id: hexOf(id), bytes: body.length }, TOO_LONG);
  }

  /** Returns the next entry, or null if it no longer exists, or the current list has just ended. */
  #next(): PackedEntry | null {
    if (!this.#pushesNew) return this.#nextOfList();

    const entry = this.#urgent.shift();
    if (entry !== undefined) {
      this.#urgentBytes -= packedBytes(entry);
      this.#urgentPushed++;
      this.#states.of(entry.orderKey).sent |= this.#bit;
      return entry;
    }

    const wanted = this.#wanted.shift();
    if (wanted !== undefined) {
      this.#wantedCount--;
      this.#states.of(wanted).sent |= this.#bit;
      return this.#cluster.timeline.read(wanted);
    }

    return this.#nextOfList();
  }

  #nextOfList(): PackedEntry | null {
    const list = this.#lists.find(({ isRead }) => !isRead);
    if (list === undefined) return null;
    const { orderKeys } = list;
    if (orderKeys.first === undefined) {
      for (const orderKey of list.cursor.next(CURSOR_ORDER_KEYS)) orderKeys.push(readOrderKey(orderKey));
      list.isRead = orderKeys.first === undefined;
    }

    const orderKey = orderKeys.shift();
    const entry = orderKey === undefined ? null : this.#cluster.timeline.read(orderKey);
    if (entry !== null) list.pushed();
    return entry;
  }

  #endLists(): void {
    const completed = this.#lists.filter(({ isRead }) => isRead);
    if (completed.length === 0) return;
    this.#lists = this.#lists.filter(({ isRead }) => !isRead);
    for (const { done } of completed) done();
  }
}

const TOO_LONG = "an entry is longer than members accept: it stays on this daemon only";
