/**
 * Receives the entries that members push. It unpacks and verifies the entries in slices, and passes the valid ones to
 * the timeline a few at a time. Entries of unknown signers are put into quarantine.
 */

import type { Work } from "../../../net/process/background-work.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { PushMessage } from "../../../protocol/members/member-messages.js";
import { type PackedEntry, readEntries } from "../../../protocol/members/member-packing.js";
import type { Steps } from "../../../protocol/steps.js";
import { type Entry, type Place, placeOf } from "../../../timeline/entries/entry.js";
import type { ClusterState, ProvedEntry } from "../shared/cluster-state.js";
import type { IncomingBatch } from "./incoming-batch.js";
import { unpack } from "./packing.js";
import { Quarantine } from "./quarantine.js";
import { oldestSpread, type ReplicationStates } from "./replication-states.js";
import { NOTHING_PROVED, SignatureCheckResults } from "./signature-check-results.js";

/** The number of entries that are verified between two checks of the clock. */
const ENTRIES_A_CHECK = 8;
/**
 * The number of entries that are passed to the timeline in one step. Each step has a fixed cost, and takes about 1 ms.
 */
const ENTRIES_A_STEP = 32;
/**
 * The minimum number of entries in a push for other threads to check the signatures. With fewer entries, the transfer
 * to the threads costs more than it saves.
 */
const ENTRIES_FOR_THREADS = 64;
/**
 * The maximum bytes of a push that is handed to other threads, because all its entries are copied in one step. An
 * honest member sends a longer push only if the push is a single entry.
 */
const BYTES_FOR_THREADS = 1024 * 1024;

/** The member that sends entries. */
export interface Sender {
  readonly id: ByteString;
  readonly bit: number;
  /** Called with the number of entries that were new. */
  onNewEntries(entries: number): void;
  /** Called when an entry is on this daemon's disk, to notify the member. */
  acknowledge(place: Place): void;
  refused(reason: string): void;
  /** Called when the signer of an entry is unknown, to compare the key rings. */
  unknown(): void;
  malformed(detail: string): void;
  /** Called when reading or checking the member's entries threw an exception. */
  failed(problem: unknown): void;
}

/** The result of checking some entries. */
interface Checked {
  readonly valid: readonly Entry[];
  /** Order keys of entries that this daemon already had. */
  readonly held: readonly Place[];
  /** The number of entries with an unknown signer. */
  readonly unknown: number;
}

export class Intake {
  readonly quarantine: Quarantine;
  readonly #cluster: ClusterState;
  readonly #states: ReplicationStates;
  /** Batches that were passed to the timeline together and are not on disk yet, by the id of their first entry. */
  readonly #unflushed = new Map<ByteString, IncomingBatch>();
  #heldBack = 0;

  constructor(cluster: ClusterState, states: ReplicationStates) {
    this.#cluster = cluster;
    this.#states = states;
    this.quarantine = new Quarantine(cluster.limits, cluster.hash);
  }

  /**
   * Returns the number of entries that were not stored since the last call, because too many entries are dated ahead of
   * the clock. Members send these entries again later.
   */
  takeHeldBack(): number {
    const heldBack = this.#heldBack;
    this.#heldBack = 0;
    return heldBack;
  }

  /** Processes a complete push. The generators of one member must run one after the other. */
  *push(message: PushMessage, sender: Sender, batch: IncomingBatch): Work {
    const entries = this.#entriesOf(message, sender);
    if (entries === null) sender.malformed(`push ${message.number} contains no entries`);
    else yield* this.#read(entries, sender, batch, this.#cluster.uptime());
    batch.isRead = true;
    batch.changed();
  }

  /** @returns null if the message contains no entries */
  #entriesOf({ entries, isDeflated, bytes }: PushMessage, sender: Sender): readonly PackedEntry[] | null {
    try {
      const unpacked = unpack(entries, isDeflated, bytes, this.#cluster.limits.deflateMaxBytes);
      return unpacked === null ? null : readEntries(unpacked);
    } catch (problem) {
      sender.failed(problem);
      return null;
    }
  }

  /** Retries entries with an unknown signer. @param senderOf  returns null if the member has disconnected */
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
    const proofs =
      threads && areForThreads(entries) ? new SignatureCheckResults(entries, ENTRIES_A_STEP, threads) : null;
    for (let i = 0; i < entries.length; i += ENTRIES_A_STEP) {
      const proved = proofs === null ? NOTHING_PROVED : yield* proofs.of(i / ENTRIES_A_STEP);
      const part = entries.slice(i, i + ENTRIES_A_STEP);
      let checked: Checked;
      try {
        checked = yield* this.#check(part, proved, sender, since);
      } catch (problem) {
        // None of these entries was stored. An exception in `#store` is not caught here and ends the process, because
        // data may be partly changed.
        sender.failed(problem);
        return;
      }
      const { valid, held, unknown } = checked;
      // Discard the entries if a snapshot was adopted in the meantime, because its key ring may not contain the
      // signers' keys. The comparison that follows the adoption transfers the entries again.
      if (timeline.handover?.adoptions !== adoptions) return;
      if (unknown > 0) sender.unknown();
      this.#store(valid, held, sender, batch);
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
    // Use a map by id, because one push may contain an entry twice: once as requested, and once from a comparison.
    const valid = new Map<ByteString, Entry>();
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
      else valid.set(checked.id, checked);
      if (++count % ENTRIES_A_CHECK === 0) yield;
    }
    return { valid: [...valid.values()], held, unknown };
  }

  /** @param held  order keys of the other entries of the same push, which this daemon already had */
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

  /**
   * Records that the sender has the entries. This precedes storing them, so that the reports of other members about
   * these entries are recorded from now on.
   */
  #note(entries: readonly Entry[], sender: Sender): void {
    const oldest = oldestSpread(this.#cluster);
    for (const entry of entries)
      if (entry.envelope.at >= oldest) this.#states.of(placeOf(entry)).has |= sender.bit;
  }

  /** Notifies the member of entries that this daemon already had, once they are on disk. */
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

  /** Called when entries are on disk. @param places  all entries that the timeline has reported together as new */
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

/** The sender of entries whose member has disconnected. */
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
