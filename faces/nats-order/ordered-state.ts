/**
 * The state that results from applying a stream's messages one after the other. It depends only on the messages, so it
 * is the same on every daemon. The stream itself is not trusted: each message is checked like an entry from another
 * daemon, and all daemons skip the same invalid messages. A unit is applied at the time of its message.
 */

import type { CheckEntry } from "../../daemon/cluster/peers/shared/cluster-state.js";
import { type Refused, refused } from "../../daemon/engine/answers/request.js";
import { hashOf } from "../../daemon/engine/trust/identity.js";
import { ORDER_WINDOW } from "../../daemon/options/timeline-values.js";
import { Database } from "../../daemon/store/database.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import { mayChange } from "../../daemon/timeline/entries/recorded-envelopes.js";
import { copiedEntry, readValue } from "../../daemon/timeline/entries/stored-value.js";
import { exceeds, isCounted } from "../../daemon/timeline/fold/entry-budget.js";
import { Fold, type UnitAnswer } from "../../daemon/timeline/fold/fold.js";
import { hasCode, standstillOf } from "../../daemon/timeline/fold/semantics-standstill.js";
import { concernsRing } from "../../daemon/timeline/snapshots/ring-entries.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { dateAfter, hexOf } from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import type { StreamMessage } from "./order-stream.js";

/** The outcome of a message. */
export type Ordered =
  | { readonly kind: "applied"; readonly entry: Entry; readonly answers: readonly UnitAnswer[] }
  /** The message is an envelope with a valid signature, but no daemon applies it, for example because it is too old. */
  | {
      readonly kind: "refused";
      readonly entry: Entry;
      readonly refusal: Refused;
      readonly isFinal: boolean;
    }
  /**
   * The message is not an envelope, its signature is not valid, or the stream contained the same envelope before
   * (`isKnown`).
   */
  | { readonly kind: "skipped"; readonly reason: string; readonly isKnown?: true };

/** The message is valid, but this daemon does not apply it, because its build does not contain the commands' code. */
export interface Stopped {
  readonly kind: "stopped";
}

const STOPPED: Stopped = { kind: "stopped" };

/** An entry that changes the key ring, with its position. */
export interface RingEntry {
  readonly date: EnvelopeDate;
  readonly entry: Entry;
}

/** The state after a message. The object that receives it becomes its owner, and may change it. */
export interface StreamState {
  readonly seq: number;
  /**
   * A mark that distinguishes the last message from a different one with the same sequence, or "" if there is no
   * message.
   */
  readonly mark: string;
  readonly date: EnvelopeDate;
  readonly database: Database;
  readonly ring: KeyRing;
  /** The entries that made the ring, in order. */
  readonly ringEntries: RingEntry[];
  readonly ids: OrderedIds;
  /** The reason why no message can be applied to it, as `Fold.missingCode`; default: null. */
  readonly missingCode?: string | null;
}

/** The maximum number of expired keys that are removed in one step. */
const EXPIRED_PER_TICK = 500;

export class OrderedState {
  /** The sequence of the last message. */
  seq: number;
  /** The number of messages that were skipped or refused. */
  skipped = 0;
  readonly #check: CheckEntry;
  readonly #initial: StreamState;
  readonly #onApplying: (id: ByteString) => void;
  readonly #fold: Fold;
  readonly #ids: OrderedIds;
  /**
   * The position of the last applied entry: the time of its message, and its number among the entries of that
   * millisecond.
   */
  #date: EnvelopeDate;
  readonly #ringEntries: RingEntry[];
  /** The last message, or null if there is none since `initial`. */
  #last: StreamMessage | null = null;
  readonly #known: Parameters<CheckEntry>[2];

  /**
   * @param initial  the state to continue from
   * @param check  checks a body and its signature by the ring of this state
   * @param onApplying  called before an entry is applied
   */
  constructor(initial: StreamState, check: CheckEntry, onApplying: (id: ByteString) => void = () => {}) {
    this.#initial = initial;
    this.#check = check;
    this.#onApplying = onApplying;
    const { seq, date, database, ring, ringEntries, ids, missingCode = null } = initial;
    this.seq = seq;
    this.#date = date;
    this.#ids = ids;
    this.#ringEntries = ringEntries;
    // The next message may have the same millisecond.
    this.#fold = new Fold({ database, ring, cutAt: date.at - 1 });
    this.#fold.missingCode = missingCode;
    this.#known = { holds: ({ id, at }) => this.#ids.has(id, at), hasRoom: () => true };
  }

  /** Whether applying an entry, which is not in the stream yet, would need more than the given number of steps. */
  exceeds(entry: Entry, stepsMax: number): boolean {
    return isCounted(entry, this.ring) && exceeds(entry, stepsMax, this.#fold);
  }

  /** The current state; it changes with the next message. */
  get current(): StreamState {
    const { seq, database, ring } = this;
    const mark = this.#last === null ? this.#initial.mark : markOf(this.#last);
    return { seq, mark, date: this.#date, database, ring, ringEntries: this.#ringEntries, ids: this.#ids };
  }

  get database(): Database {
    return this.#fold.database;
  }

  get ring(): KeyRing {
    return this.#fold.ring;
  }

  /** The reason why this daemon has stopped applying messages, or null if it applies them. */
  get standstill(): string | null {
    return standstillOf(this.#fold);
  }

  /** The position of the last applied entry. */
  get newest(): EnvelopeDate {
    return this.#date;
  }

  /** The date at or before which nothing is applied any longer. */
  get floor(): number {
    return Math.max(this.#ids.floor, this.#date.at - ORDER_WINDOW.past);
  }

  /** Whether the envelope with this id and date was applied, if its id is still remembered. */
  has(id: ByteString, at: number): boolean {
    return this.#ids.has(id, at);
  }

  /** Whether a message is the last applied one, and not a different message with the same sequence. */
  isLast(message: StreamMessage): boolean {
    const last = this.#last;
    if (last === null) return this.#initial.mark === markOf(message);
    return last.at === message.at && last.data.equals(message.data);
  }

  /** Applies the message after the last one. If it is stopped, nothing has changed, and `standstill` is the reason. */
  apply(message: StreamMessage): Ordered | Stopped {
    if (message.seq !== this.seq + 1)
      throw new Error(`message ${message.seq} of the stream came after ${this.seq}`);
    // The clock of a new leader may be slower than the previous leader's.
    const at = Math.max(message.at, this.#date.at);
    const ordered = this.#judge(message.data, at);
    if (ordered.kind === "stopped") return ordered;
    this.seq = message.seq;
    this.#last = message;
    if (ordered.kind !== "applied") this.skipped++;
    return ordered;
  }

  /** Removes keys that have expired at the time of the last applied entry, at most EXPIRED_PER_TICK. */
  dropExpired(): void {
    this.database.dropExpired(this.#date.at, EXPIRED_PER_TICK);
  }

  #judge(data: Buffer, at: number): Ordered | Stopped {
    const value = readValue(data);
    if (value === null) return { kind: "skipped", reason: "no envelope" };
    const entry = this.#check(value.body, value.signature, this.#known);
    if (typeof entry === "string") return { kind: "skipped", reason: entry };
    if ("stored" in entry) return { kind: "skipped", reason: "it was in the stream before", isKnown: true };
    if ("refused" in entry) return { kind: "skipped", reason: entry.refused };

    const refusal = checkDate(entry.envelope.at, at, this.#ids.floor);
    // Do not remember the refused id: an envelope dated ahead becomes acceptable later, and an envelope that is too old
    // by this leader's clock may be in time by the clock of the next leader.
    if (refusal !== null)
      return { kind: "refused", entry, refusal, isFinal: entry.envelope.at <= this.floor };
    // Use the command table at the message's position, so that a daemon that also knows a newer table skips the same
    // messages as one that does not.
    if (!mayChange(entry.envelope, this.ring.table ?? undefined))
      return { kind: "skipped", reason: "it changes nothing" };
    if (!hasCode(this.#fold, entry)) return STOPPED;

    this.#onApplying(entry.id);
    return { kind: "applied", entry, answers: this.#apply(entry, at) };
  }

  #apply(entry: Entry, at: number): readonly UnitAnswer[] {
    this.#date = next(this.#date, at);
    // Do not use the time of a skipped message, because it may be ahead of the next leader's clock.
    this.#ids.passed(this.#date.at);
    this.#ids.add(entry.id, entry.envelope.at);
    if (concernsRing(entry)) this.#ringEntries.push({ date: this.#date, entry: copiedEntry(entry) });
    return this.#fold.replay(datedAt(this.#date, entry)).answers;
  }
}

/** Returns the state before the first message. @param ring  with the keys of genesis */
export function emptyStreamState(ring: KeyRing, databases: number): StreamState {
  const [database, ids] = [new Database({ databases }), new OrderedIds()];
  return { seq: 0, mark: "", date: { at: 0, seq: 0 }, database, ring, ringEntries: [], ids };
}

const markOf = ({ at, data }: StreamMessage) => `${at} ${hexOf(hashOf(data))}`;

/** Returns an entry in the form in which it is folded: at the position of its message. */
export const datedAt = ({ at, seq }: EnvelopeDate, entry: Entry): Entry => ({
  ...entry,
  envelope: { ...entry.envelope, at, seq },
});

/** Returns a date that no other entry has, because the fold identifies positions by dates. */
function next(last: EnvelopeDate, at: number): EnvelopeDate {
  return at > last.at ? { at, seq: 0 } : dateAfter(last);
}

/**
 * Returns the refusal of an envelope whose date is outside the window, or not above the floor; null if the date is
 * accepted.
 * @param now  the message's time
 */
function checkDate(at: number, now: number, floor: number): Refused | null {
  if (at <= now - ORDER_WINDOW.past || at >= now + ORDER_WINDOW.future)
    return refused("skew", `dated ${at - now} ms from the stream's clock`);
  return at > floor ? null : refused("too-old", `dated ${floor - at} ms too early`);
}

/**
 * The maximum number of ids, which take about 150 MB. Above it, the ids with the earliest dates are forgotten, and
 * envelopes with such dates are no longer accepted.
 */
const ORDER_IDS_MAX = 1_000_000;
/** Ids are grouped by intervals of this number of milliseconds, and each group is forgotten in one step. */
const BUCKET_MS = 1000;

/**
 * The ids of the envelopes in the stream. They prevent an envelope from being applied twice, even if it is added again
 * after the stream has forgotten its name. The ids depend only on the messages, so all daemons skip the same envelopes.
 */
export class OrderedIds {
  /** The date at or before which no envelope is accepted. */
  floor: number;
  readonly #buckets = new Map<number, Set<ByteString>>();
  readonly #max: number;
  #size = 0;
  /** The lowest stored bucket. */
  #lowest = Number.NEGATIVE_INFINITY;

  constructor(floor = Number.NEGATIVE_INFINITY, max = ORDER_IDS_MAX) {
    this.floor = floor;
    this.#max = max;
  }

  has(id: ByteString, at: number): boolean {
    return this.#buckets.get(bucketOf(at))?.has(id) ?? false;
  }

  /** Adds the id of an envelope that is not present yet. @param at  its date, which is above the floor */
  add(id: ByteString, at: number): void {
    const number = bucketOf(at);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) this.#buckets.set(number, (bucket = new Set()));
    bucket.add(id);
    this.#size++;
    if (this.#size > this.#max) this.#makeRoom();
  }

  /** Forgets the ids whose dates are too early to be accepted by now. @param at  the time of an applied message */
  passed(at: number): void {
    const lowest = bucketOf(at - ORDER_WINDOW.past);
    if (lowest <= this.#lowest) return;
    this.#lowest = lowest;
    for (const number of this.#buckets.keys()) if (number < lowest) this.#drop(number);
  }

  get size(): number {
    return this.#size;
  }

  /** Yields all ids for snapshots, each with its date rounded down to a second. */
  *all(): Generator<readonly [id: ByteString, at: number]> {
    for (const [number, ids] of [...this.#buckets].sort(([a], [b]) => a - b))
      for (const id of [...ids].sort()) yield [id, number * BUCKET_MS];
  }

  #makeRoom(): void {
    let number = Number.POSITIVE_INFINITY;
    for (const each of this.#buckets.keys()) if (each < number) number = each;
    this.#drop(number);
    this.floor = Math.max(this.floor, (number + 1) * BUCKET_MS - 1);
  }

  #drop(number: number): void {
    this.#size -= this.#buckets.get(number)?.size ?? 0;
    this.#buckets.delete(number);
  }
}

const bucketOf = (at: number) => Math.floor(at / BUCKET_MS);
