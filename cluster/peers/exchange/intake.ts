/**
 * Takes the entries that members push: unpacks them, verifies them in slices, hands good ones to the timeline some at
 * a time, and holds back those of unknown signers.
 */

import type { Work } from "../../../net/process/turns.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { PushMessage } from "../../../protocol/members/member-messages.js";
import { type PackedEntry, readEntries } from "../../../protocol/members/member-packing.js";
import type { Steps } from "../../../protocol/steps.js";
import { type Entry, type Place, placeOf } from "../../../timeline/entries/entry.js";
import type { ClusterState, ProvedEntry } from "../shared/cluster-state.js";
import type { IncomingBatch } from "./incoming-batch.js";
import { unpack } from "./packing.js";
import { NOTHING_PROVED, Proofs } from "./proofs.js";
import { Quarantine } from "./quarantine.js";
import { oldestSpread, type ReplicationStates } from "./replication-states.js";

/** Entries that are verified between two looks at the clock. */
const ENTRIES_A_LOOK = 8;
/** Entries that are handed to the timeline in one step: about 1 ms. Each such step has a cost of its own. */
const ENTRIES_A_STEP = 32;
/**
 * For a push of at least that many entries, the other threads check the signatures: for a shorter one handing them
 * over costs more than it saves.
 */
const ENTRIES_FOR_THREADS = 64;
/**
 * A longer push is not handed over, as an honest one is that long by a single entry only: handing over is one step,
 * and copies the entries.
 */
const BYTES_FOR_THREADS = 1024 * 1024;

/** The member that entries come from. */
export interface Sender {
  readonly id: ByteString;
  readonly bit: number;
  /** The given number of entries was new. */
  onNewEntries(entries: number): void;
  /** An entry is on this daemon's disk: the member is to be notified. */
  acknowledge(place: Place): void;
  refused(reason: string): void;
  /** The signer of an entry is not known; the ring should be compared. */
  unknown(): void;
  malformed(detail: string): void;
  /** Reading or checking its entries threw an exception. */
  failed(problem: unknown): void;
}

/** The result of checking some entries. */
interface Checked {
  readonly good: readonly Entry[];
  /** Order keys of entries that were here before. */
  readonly held: readonly Place[];
  /** The number of entries with an unknown signer. */
  readonly unknown: number;
}

export class Intake {
  readonly quarantine: Quarantine;
  readonly #cluster: ClusterState;
  readonly #states: ReplicationStates;
  /** Batches that were handed to the timeline together and are not on disk yet, by the id of their first entry. */
  readonly #unflushed = new Map<ByteString, IncomingBatch>();
  #heldBack = 0;

  constructor(cluster: ClusterState, states: ReplicationStates) {
    this.#cluster = cluster;
    this.#states = states;
    this.quarantine = new Quarantine(cluster.limits, cluster.hash);
  }

  /**
   * Returns how many entries were dated so far ahead, since the last call, that there was no room for them. Members
   * send them again.
   */
  takeHeldBack(): number {
    const heldBack = this.#heldBack;
    this.#heldBack = 0;
    return heldBack;
  }

  /** Takes a complete push. Generators of one member must run one after the other. */
  *push(message: PushMessage, sender: Sender, batch: IncomingBatch): Work {
    const entries = this.#entriesOf(message, sender);
    if (entries === null) sender.malformed(`push ${message.number} holds no entries`);
    else yield* this.#read(entries, sender, batch, this.#cluster.uptime());
    batch.isRead = true;
    batch.changed();
  }

  /** @returns null: there are none in it */
  #entriesOf({ entries, isDeflated, bytes }: PushMessage, sender: Sender): readonly PackedEntry[] | null {
    try {
      const unpacked = unpack(entries, isDeflated, bytes, this.#cluster.limits.deflateMaxBytes);
      return unpacked === null ? null : readEntries(unpacked);
    } catch (problem) {
      sender.failed(problem);
      return null;
    }
  }

  /** Tries entries with an unknown signer again. @param senderOf  null: the member has disconnected */
  retry(senderOf: (id: ByteString) => Sender | null): void {
    const held = this.quarantine.take(this.#cluster.uptime());
    const groups = new Map<ByteString, (typeof held)[number][]>();
    for (const one of held) {
      const group = groups.get(one.from);
      if (group === undefined) groups.set(one.from, [one]);
      else group.push(one);
    }
    for (const [id, group] of groups) {
      const sender = senderOf(id) ?? { ...DISCONNECTED, id };
      this.#cluster.slices.add(this.#retry(group, sender));
    }
  }

  *#retry(held: readonly (PackedEntry & { since: number })[], sender: Sender): Work {
    const batch: IncomingBatch = { pending: 0, isRead: true, changed: () => {} };
    const { batchEntries } = this.#cluster.limits;
    for (let i = 0; i < held.length; i += batchEntries) {
      const part = held.slice(i, i + batchEntries);
      yield* this.#read(part, sender, batch, (part[0] as { since: number }).since);
    }
  }

  *#read(entries: readonly PackedEntry[], sender: Sender, batch: IncomingBatch, since: number): Work {
    const { timeline, signatureThreads: threads } = this.#cluster;
    const adoptions = timeline.handover?.adoptions;
    const proofs = threads && areForThreads(entries) ? new Proofs(entries, ENTRIES_A_STEP, threads) : null;
    for (let i = 0; i < entries.length; i += ENTRIES_A_STEP) {
      const proved = proofs === null ? NOTHING_PROVED : yield* proofs.of(i / ENTRIES_A_STEP);
      const part = entries.slice(i, i + ENTRIES_A_STEP);
      let checked: Checked;
      try {
        checked = yield* this.#check(part, proved, sender, since);
      } catch (problem) {
        // Nothing has been stored of these. An exception in `#store` ends the process: data may be changed in part.
        sender.failed(problem);
        return;
      }
      const { good, held, unknown } = checked;
      // A snapshot that was adopted meanwhile may not know the keys that verified them. The comparison after it
      // brings them.
      if (timeline.handover?.adoptions !== adoptions) return;
      if (unknown > 0) sender.unknown();
      this.#store(good, held, sender, batch);
      yield;
    }
  }

  *#check(
    entries: readonly PackedEntry[],
    proved: readonly (ProvedEntry | null)[],
    sender: Sender,
    since: number,
  ): Steps<Checked> {
    const { checkEntry, timeline } = this.#cluster;
    // By id: what was requested may also have been sent by a comparison, in one push.
    const good = new Map<ByteString, Entry>();
    const held: Place[] = [];
    let unknown = 0;
    let count = 0;
    for (const packed of entries) {
      const checked = checkEntry(packed.body, packed.signature, timeline, proved[count]);
      if (checked === "unknown-signer") {
        this.quarantine.add(packed, sender.id, since);
        unknown++;
      } else if (checked === "no-room") this.#heldBack++;
      else if ("held" in checked) held.push(checked.held);
      else if ("refused" in checked) sender.refused(checked.refused);
      else good.set(checked.id, checked);
      if (++count % ENTRIES_A_LOOK === 0) yield;
    }
    return { good: [...good.values()], held, unknown };
  }

  /** @param held  order keys of other entries of the same push, which were here before */
  #store(entries: readonly Entry[], held: readonly Place[], sender: Sender, batch: IncomingBatch): void {
    const { timeline } = this.#cluster;
    this.#note(entries, sender);
    const fresh = entries.length === 0 ? [] : timeline.receive(entries, sender.id);
    sender.onNewEntries(fresh.length);
    const [first] = fresh;
    if (first !== undefined) {
      batch.pending++;
      this.#unflushed.set(first.id, batch);
    }
    this.#settleHeld(held, sender);
    if (fresh.length < entries.length) {
      const freshIds = new Set(fresh.map(({ id }) => id));
      this.#settleHeld(entries.filter(({ id }) => !freshIds.has(id)).map(placeOf), sender);
    }
  }

  /** Before they are handed over: what other members say of entries that are spread counts from now on. */
  #note(entries: readonly Entry[], sender: Sender): void {
    const oldest = oldestSpread(this.#cluster);
    for (const entry of entries)
      if (entry.envelope.at >= oldest) this.#states.of(placeOf(entry)).has |= sender.bit;
  }

  /** Notifies the member of entries that were here before: on disk, or on the way there. */
  #settleHeld(places: readonly Place[], sender: Sender): void {
    const [states, peering] = [this.#states, this.#cluster];
    for (const place of places) {
      const state = states.of(place);
      state.has |= sender.bit;
      state.isFlushed ||= peering.timeline.read(place) !== null;
      if (state.isFlushed) sender.acknowledge(place);
      else state.pendingAcks |= sender.bit;
    }
  }

  /** Entries are on disk. @param places  all entries that the timeline has reported together as new */
  flushed([first]: readonly Place[]): void {
    const batch = first === undefined ? undefined : this.#unflushed.get(first.id);
    if (first === undefined || batch === undefined) return;
    this.#unflushed.delete(first.id);
    batch.pending--;
    batch.changed();
  }
}

const areForThreads = (entries: readonly PackedEntry[]): boolean =>
  entries.length >= ENTRIES_FOR_THREADS &&
  entries.reduce((sum, { body, signature }) => sum + body.length + signature.length, 0) <= BYTES_FOR_THREADS;

/** Replaces a member that has disconnected. */
const DISCONNECTED = {
  id: "",
  bit: 0,
  onNewEntries() {},
  acknowledge() {},
  refused() {},
  unknown() {},
  malformed() {},
  failed() {},
} as const satisfies Sender;
