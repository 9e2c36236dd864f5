/**
 * Receives the entries that members push. It unpacks and verifies the entries in slices, and passes the valid ones to
 * the timeline a few at a time. Entries of unknown signers are put into quarantine.
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { readCertificate } from "../../../../protocol/members/decision-messages.js";
import { type PackedEntry, readEntries } from "../../../../protocol/members/member-elements.js";
import type { PushMessage } from "../../../../protocol/members/member-messages.js";
import type { Steps } from "../../../../protocol/steps.js";
import { isDecision } from "../../../../protocol/version-2/decision-body.js";
import { readHead } from "../../../../protocol/version-2/envelope-head.js";
import type { Work } from "../../../net/process/background-work.js";
import { type Entry, type OrderKey, orderKeyOf } from "../../../timeline/entries/entry.js";
import type { ClusterState, Missing, ProvedEntry, SignatureThreads } from "../shared/cluster-state.js";
import { unpack } from "./entry-packing.js";
import { oldestSpread, type ReplicationStates } from "./replication-states.js";

/** The number of entries that are verified between two checks of the clock. */
const ENTRIES_PER_CHECK = 8;
/**
 * The number of entries that are passed to the timeline in one step. Each step has a fixed cost, and takes about 1 ms.
 */
const ENTRIES_PER_STEP = 32;
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
  /** Called with valid entries that it has sent, and the number of those that were new. */
  onEntries(entries: readonly Entry[], fresh: number): void;
  /** Called when an entry is on this daemon's disk, to notify the member. */
  acknowledge(orderKey: OrderKey): void;
  refused(reason: string): void;
  /** Called when something that an entry needs is unknown, to compare the key rings. */
  unknown(): void;
  /** Called when an entry cannot be checked before the member list that it names arrives. */
  heldBack(): void;
  /** Called when valid entries may be missing here although the member has sent them, until they are compared. */
  missed(): void;
  malformed(detail: string): void;
  /** Called when reading or checking the member's entries threw an exception. */
  failed(problem: unknown): void;
}

/** The number of entries that wait, and of those dropped so far. */
export interface QuarantineFigures {
  readonly waiting: number;
  readonly dropped: number;
}

/** The result of checking some entries. */
interface Checked {
  readonly valid: readonly Entry[];
  /** Order keys of entries that this daemon already had. */
  readonly stored: readonly OrderKey[];
  /** The number of entries with an unknown signer or member list. */
  readonly unknown: number;
  /** Whether some of them wait for a member list. */
  readonly areHeldBack: boolean;
}

export class EntryIntake {
  readonly quarantine: Quarantine;
  readonly #cluster: ClusterState;
  readonly #states: ReplicationStates;
  /** Batches that were passed to the timeline together and are not on disk yet, by the id of their first entry. */
  readonly #unflushed = new Map<ByteString, IncomingBatch>();
  #postponed = 0;

  constructor(cluster: ClusterState, states: ReplicationStates) {
    this.#cluster = cluster;
    this.#states = states;
    this.quarantine = new Quarantine(cluster.limits, cluster.hash);
  }

  /**
   * Returns the number of entries that were not stored since the last call, because too many entries are dated ahead of
   * the clock. Members send these entries again later.
   */
  takePostponed(): number {
    const postponed = this.#postponed;
    this.#postponed = 0;
    return postponed;
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

  /**
   * Retries entries whose signer or member list was unknown.
   * @param senderOf  returns null if the member has disconnected
   */
  retry(senderOf: (id: ByteString) => Sender | null): void {
    const quarantined = this.quarantine.take(this.#cluster.uptime());
    const groups = new Map<ByteString, (typeof quarantined)[number][]>();
    for (const one of quarantined) {
      const group = groups.get(one.from);
      if (group === undefined) groups.set(one.from, [one]);
      else group.push(one);
    }

    for (const [id, group] of groups) {
      const sender = senderOf(id) ?? { ...DISCONNECTED, id };
      this.#cluster.slices.add(this.#retry(group, sender));
    }
  }

  *#retry(quarantined: readonly (PackedEntry & { since: number })[], sender: Sender): Work {
    const batch: IncomingBatch = { pending: 0, isRead: true, changed: () => {} };
    const { batchEntries } = this.#cluster.limits;
    for (let i = 0; i < quarantined.length; i += batchEntries) {
      const part = quarantined.slice(i, i + batchEntries);
      yield* this.#read(part, sender, batch, (part[0] as { since: number }).since);
    }
  }

  *#read(entries: readonly PackedEntry[], sender: Sender, batch: IncomingBatch, since: number): Work {
    const { timeline, signatureThreads: threads } = this.#cluster;
    const adoptions = timeline.handover?.adoptions;
    const proofs =
      threads && areForThreads(entries)
        ? new SignatureCheckResults(entries, ENTRIES_PER_STEP, threads)
        : null;

    for (let i = 0; i < entries.length; i += ENTRIES_PER_STEP) {
      const proved = proofs === null ? NOTHING_PROVED : yield* proofs.of(i / ENTRIES_PER_STEP);
      const part = entries.slice(i, i + ENTRIES_PER_STEP);
      let checked: Checked;
      try {
        checked = yield* this.#check(part, proved, sender, since);
      } catch (problem) {
        // None of these entries was stored. An exception in `#store` is not caught here and ends the process, because
        // data may be partly changed.
        sender.failed(problem);
        return;
      }

      const { valid, stored, unknown, areHeldBack } = checked;
      // Discard the entries if a snapshot was adopted in the meantime, because its key ring may not contain the
      // signers' keys. The comparison that follows the adoption transfers the entries again.
      if (timeline.handover?.adoptions !== adoptions) {
        sender.missed();
        return;
      }

      if (unknown > 0) sender.unknown();
      if (areHeldBack) sender.heldBack();
      this.#store(valid, stored, sender, batch);
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
    const stored: OrderKey[] = [];
    let unknown = 0;
    let areHeldBack = false;
    let count = 0;

    for (const packed of entries) {
      const checked = checkEntry(packed.body, packed.signature, timeline, proved[count]);
      if (checked === "unknown-signer" || checked === "unknown-list") {
        this.quarantine.add(packed, sender.id, since, checked);
        unknown++;
        // Its first entry authorizes its key. Until that is applied, its further entries have an unknown signer.
        const isSigned = checked === "unknown-signer" && !isDecision(packed.body);
        if (isSigned && readHead(packed.body).key === sender.id) sender.missed();
        areHeldBack ||= checked === "unknown-list" && this.#isListMissing(packed);
      } else if (checked === "no-room") this.#postponed++;
      else if ("stored" in checked) stored.push(checked.stored);
      else if ("refused" in checked) sender.refused(checked.refused);
      else valid.set(checked.id, checked);
      if (++count % ENTRIES_PER_CHECK === 0) yield;
    }

    return { valid: [...valid.values()], stored, unknown, areHeldBack };
  }

  /** Whether the list of a decision is not known. If it is, but not proved, no member may ever be able to prove it. */
  #isListMissing({ signature }: PackedEntry): boolean {
    const certificate = readCertificate(signature);
    const history = this.#cluster.lists?.history;
    return certificate !== null && history?.find(certificate.ballot.listHash) === null;
  }

  /** @param stored  order keys of the other entries of the same push, which this daemon already had */
  #store(entries: readonly Entry[], stored: readonly OrderKey[], sender: Sender, batch: IncomingBatch): void {
    const { timeline } = this.#cluster;
    this.#note(entries, sender);

    const fresh = entries.length === 0 ? [] : timeline.receive(entries, sender.id);
    // While a snapshot is adopted, the timeline accepts nothing.
    if (entries.length > 0 && timeline.state !== "live") sender.missed();
    sender.onEntries(entries, fresh.length);

    const [first] = fresh;
    if (first !== undefined) {
      batch.pending++;
      this.#unflushed.set(first.id, batch);
    }

    this.#acknowledgeStored(stored, sender);
    if (fresh.length < entries.length) {
      const freshIds = new Set(fresh.map(({ id }) => id));
      this.#acknowledgeStored(entries.filter(({ id }) => !freshIds.has(id)).map(orderKeyOf), sender);
    }
  }

  /**
   * Records that the sender has the entries. This precedes storing them, so that the reports of other members about
   * these entries are recorded from now on.
   */
  #note(entries: readonly Entry[], sender: Sender): void {
    const oldest = oldestSpread(this.#cluster);
    for (const entry of entries)
      if (entry.envelope.at >= oldest) this.#states.of(orderKeyOf(entry)).has |= sender.bit;
  }

  /** Notifies the member of entries that this daemon already had, once they are on disk. */
  #acknowledgeStored(orderKeys: readonly OrderKey[], sender: Sender): void {
    const [states, cluster] = [this.#states, this.#cluster];
    for (const orderKey of orderKeys) {
      const state = states.of(orderKey);
      state.has |= sender.bit;
      state.isFlushed ||= cluster.timeline.read(orderKey) !== null;
      if (state.isFlushed) sender.acknowledge(orderKey);
      else state.pendingAcks |= sender.bit;
    }
  }

  /** Called when entries are on disk. @param orderKeys  all entries that the timeline has reported together as new */
  flushed([first]: readonly OrderKey[]): void {
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
export const DISCONNECTED = {
  id: "",
  bit: 0,
  onEntries() {},
  acknowledge() {},
  refused() {},
  unknown() {},
  heldBack() {},
  missed() {},
  malformed() {},
  failed() {},
} as const satisfies Sender;

type Found = readonly (ProvedEntry | null)[];

const NOTHING_PROVED: Found = [];

/**
 * Results of the signature checks that other threads perform for a push. The threads work a few entries ahead of the
 * main thread, which processes the entries in order.
 */
class SignatureCheckResults {
  /** The results for each part of the push, or null for a part whose results are not available yet. */
  readonly #found: (Found | null)[] = [];
  readonly #ends: Promise<void>[] = [];

  /** @param size  the number of entries in a part; one thread checks all entries of a part */
  constructor(entries: readonly PackedEntry[], size: number, threads: SignatureThreads) {
    for (let i = 0; i < entries.length; i += size) {
      const part = this.#found.push(null) - 1;
      const proved = threads.prove(entries.slice(i, i + size));
      this.#ends.push(proved.then((found) => void (this.#found[part] = found)));
    }
  }

  /** Returns the results for one part, once they are available. Parts are counted from 0. */
  *of(part: number): Generator<Promise<unknown>, Found, undefined> {
    if (this.#found[part] === null) yield this.#ends[part] as Promise<void>;
    return this.#found[part] ?? NOTHING_PROVED;
  }
}

/** The entries of one push from a member, or of one retry of the quarantine, until they are on disk. */
export interface IncomingBatch {
  /** The number of parts whose entries were passed to the timeline and are not on disk yet. */
  pending: number;
  /** Whether all entries have been verified, and the valid ones have been passed to the timeline. */
  isRead: boolean;
  /** Called whenever `pending` or `isRead` has changed. */
  readonly changed: () => void;
}

interface QuarantineLimits {
  readonly quarantineEntries: number;
  readonly quarantineBytes: number;
  readonly quarantineMs: number;
}

interface QuarantinedEntry extends PackedEntry {
  readonly missing: Missing;
  readonly from: ByteString;
  /** `uptime` milliseconds. */
  readonly since: number;
}

/**
 * The envelopes from members whose signer is not known yet, because the entry that contains the signer's key may still
 * be in flight, and decisions of members whose list has not arrived yet. The number of envelopes is limited. The next
 * reconciliation transfers dropped envelopes again. Source: docs/architecture.md "How daemons agree".
 */
class Quarantine {
  /** The numbers of entries dropped so far, because there were too many, or what they waited for did not arrive. */
  readonly #dropped: Record<Missing, number> = { "unknown-signer": 0, "unknown-list": 0 };
  readonly #limits: QuarantineLimits;
  readonly #hash: (bytes: Buffer) => ByteString;
  /** Entries by the hash of the body, so that an entry that a member sends again is not stored twice. */
  #entries = new Map<ByteString, QuarantinedEntry>();
  #bytes = 0;

  constructor(limits: QuarantineLimits, hash: (bytes: Buffer) => ByteString) {
    this.#limits = limits;
    this.#hash = hash;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Counts the entries that wait for the same, and those dropped so far. */
  figuresOf(missing: Missing): QuarantineFigures {
    const waiting = [...this.#entries.values()].filter((entry) => entry.missing === missing).length;
    return { waiting, dropped: this.#dropped[missing] };
  }

  /**
   * Copies the entry's bytes.
   * @param since  when the entry first arrived, if this is a retry
   * @returns false if there are too many entries, so it was not added
   */
  add({ body, signature }: PackedEntry, from: ByteString, since: number, missing: Missing): boolean {
    const key = this.#hash(body);
    if (this.#entries.has(key)) return true;
    const bytes = body.length + signature.length;
    const { quarantineEntries, quarantineBytes } = this.#limits;
    if (this.#entries.size >= quarantineEntries || this.#bytes + bytes > quarantineBytes) {
      this.#dropped[missing]++;
      return false;
    }
    const copy = { body: Buffer.from(body), signature: Buffer.from(signature) };
    this.#entries.set(key, { ...copy, from, since, missing });
    this.#bytes += bytes;
    return true;
  }

  /** Removes all entries. Returns the entries to check again, which are those that have not waited for too long. */
  take(now: number): readonly QuarantinedEntry[] {
    const entries = [...this.#entries.values()];
    this.#entries = new Map();
    this.#bytes = 0;
    const isRetried = ({ since }: QuarantinedEntry) => now - since <= this.#limits.quarantineMs;
    for (const entry of entries) if (!isRetried(entry)) this.#dropped[entry.missing]++;
    return entries.filter(isRetried);
  }
}
