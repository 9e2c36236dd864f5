/**
 * The state that is served, as digests that daemons compare: of all keys, summed up in buckets in short steps while
 * the state changes; and of single keys, exactly as they are at a date. The sums only lead to keys that may differ;
 * the digest of a key is always right. Source: docs/decisions/0043-states-are-compared.md.
 */
import type { ByteString } from "../protocol/byte-string.js";
import type { Steps } from "../protocol/steps.js";
import type { Database } from "../store/database.js";
import { type Digest64, digestOfEntry, hashOfKey } from "../store/entry-digest.js";
import { isExpired, type Keyspace } from "../store/keyspace/keyspace.js";
import { firstPlace, type Place } from "./entries/entry.js";
import type { Fold } from "./fold/fold.js";
import type { Folding } from "./folding.js";

/** Selects what of a state is summed up. */
export interface Look {
  /** Everything dated before it, and nothing else; milliseconds since 1970. */
  readonly at: number;
  /** Selects the bucket of a key, and the part of a large value that is sampled. */
  readonly salt: number;
}

export interface StateSums {
  /** The sums cover 1/shares of all keys, selected by the salt; a power of two. */
  readonly shares: number;
  /** One sum for each bucket, a power of two of them; `UNCOMPARED` for buckets that are unknown. */
  readonly sums: Uint32Array;
}

/** A bucket in which keys have been changed since. */
export const UNCOMPARED = 0xffff_ffff;

export interface NamedKey {
  readonly db: number;
  readonly key: ByteString;
}

export interface KeyDigest extends NamedKey {
  /** The digest; null: there is no such key. */
  readonly digest: Digest64 | null;
}

/** Selects keys: those of a share that are in some of the buckets. */
export interface WantedKeys {
  readonly wanted: ReadonlySet<number>;
  readonly shares: number;
  readonly buckets: number;
  readonly salt: number;
  readonly max: number;
}

/** Keys of a share at most, roughly: a larger keyspace is compared share by share. */
const SHARE_KEYS = 2 ** 20;
const KEYS_A_BUCKET = 8;
const BUCKETS_MIN = 16;
const BUCKETS_MAX = 65_536;
/** Keys, and entries of the tail, between two reads of the clock. */
const KEYS_A_STEP = 32;
/** A page reads one segment of the table, whose cells take some microseconds. */
const KEYS_A_PAGE = 512;
const ENTRIES_A_STEP = 256;

export class StateDigests {
  readonly #folding: Folding;

  constructor(folding: Folding) {
    this.#folding = folding;
  }

  /**
   * Whether the state before a date is known exactly now: everything is folded, and all later changes can be
   * recognized.
   */
  isExact(at: number): boolean {
    const { fold, archive, waiting, isServing } = this.#folding;
    const { cutAt, end } = fold;
    if (end !== null && end.at < at) return false;
    return cutAt < at && isServing && waiting.isPast(at) && archive.countsBefore(at);
  }

  /** Sums up, while the state changes. */
  *sums({ at, salt }: Look): Steps<StateSums> {
    const { database } = this.#folding.fold;
    const keys = database.keyspaces.reduce((sum, { size }) => sum + size, 0);
    const shares = powerOfTwo(keys / SHARE_KEYS, 1, 2 ** 16);
    const buckets = powerOfTwo(keys / shares / KEYS_A_BUCKET, BUCKETS_MIN, BUCKETS_MAX);
    const sums = new Uint32Array(buckets);
    for (const [db, keyspace] of database.keyspaces.entries())
      yield* eachKey(keyspace, (entry) => {
        const hash = hashOfKey(db, entry.key, salt);
        if (!isOfShare(hash, shares, salt) || isGone(entry, at)) return;
        const bucket = bucketOf(hash, buckets);
        sums[bucket] = (sums[bucket] as number) + digestOfEntry(db, entry, salt).low;
      });
    // A sum may happen to equal the number that means unknown.
    for (const [bucket, sum] of sums.entries()) if (sum === UNCOMPARED) sums[bucket] = 0;
    yield* this.#leaveOutChanged({ at, salt }, sums);
    return { shares, sums };
  }

  *#leaveOutChanged({ at, salt }: Look, sums: Uint32Array): Steps<void> {
    for (let from: Place | null = firstPlace(at); from !== null; ) {
      const { keys, isWhole, next }: ReturnType<Fold["changedFrom"]> = this.#folding.fold.changedFrom(
        from,
        ENTRIES_A_STEP,
      );
      if (isWhole) sums.fill(UNCOMPARED);
      for (const { db, key } of keys) sums[bucketOf(hashOfKey(db, key, salt), sums.length)] = UNCOMPARED;
      from = next;
      yield;
    }
  }

  /** The keys that lie in some of the buckets, as they are found while the state changes. */
  *keysIn({ wanted, shares, buckets, salt, max }: WantedKeys): Steps<NamedKey[]> {
    const found: NamedKey[] = [];
    for (const [db, keyspace] of this.#folding.fold.database.keyspaces.entries())
      yield* eachKey(keyspace, ({ key }) => {
        const hash = hashOfKey(db, key, salt);
        if (found.length < max && isOfShare(hash, shares, salt) && wanted.has(bucketOf(hash, buckets)))
          found.push({ db, key });
      });
    return found;
  }

  /**
   * Returns what some keys hold as of a date, without those that have been changed since; null: it is not known now.
   */
  digests({ at, salt }: Look, keys: readonly NamedKey[]): KeyDigest[] | null {
    if (!this.isExact(at)) return null;
    const { database } = this.#folding.fold;
    const changed = this.#changedSince(at, keys);
    return changed === null
      ? null
      : keys
          .filter((named) => !changed.has(nameOf(named)))
          .map(({ db, key }) => ({ db, key, digest: digestIn(database, { db, key }, { at, salt }) }));
  }

  /** Returns those of some keys that entries dated at or after a time have changed; null: it may be any. */
  #changedSince(at: number, keys: readonly NamedKey[]): ReadonlySet<string> | null {
    const names = new Set(keys.map(nameOf));
    const changed = new Set<string>();
    for (let from: Place | null = firstPlace(at); from !== null; ) {
      const {
        keys: some,
        isWhole,
        next,
      }: ReturnType<Fold["changedFrom"]> = this.#folding.fold.changedFrom(from, ENTRIES_A_STEP);
      if (isWhole) return null;
      for (const name of some.map(nameOf)) if (names.has(name)) changed.add(name);
      from = next;
    }
    return changed;
  }
}

export const nameOf = ({ db, key }: NamedKey): string => `${db}:${key}`;

function digestIn(database: Database, { db, key }: NamedKey, { at, salt }: Look): Digest64 | null {
  const entry = database.keyspaces[db]?.find(key);
  return entry === undefined || isGone(entry, at) ? null : digestOfEntry(db, entry, salt);
}

/** Whether a unit of that date no longer sees it: then when it is dropped is each daemon's own affair. */
const isGone = (entry: Parameters<typeof isExpired>[0], at: number) => isExpired(entry, at);

/** Returns the bucket by the upper bits: a daemon with more buckets divides each of another's. */
const bucketOf = (hash: number, buckets: number): number => Math.floor((hash / 2 ** 32) * buckets);

/** Whether a key is in the share, by the lower bits. */
const isOfShare = (hash: number, shares: number, salt: number): boolean => hash % shares === salt % shares;

function powerOfTwo(min: number, from: number, to: number): number {
  let power = from;
  while (power < min && power < to) power *= 2;
  return power;
}

/**
 * Visits each key that is there throughout once, in the order of scans: a key that is removed meanwhile moves another one in the table, which
 * a walk by index visits twice. Keys of a page that change before their turn are changed since the date of the sums.
 */
function* eachKey(keyspace: Keyspace, see: (entry: Keyspace["entries"][number]) => void): Steps<void> {
  let from = 0;
  do {
    const { slots, next } = keyspace.page({ from, count: KEYS_A_PAGE });
    const page = slots.map((slot) => keyspace.entries[slot] as Keyspace["entries"][number]);
    for (const [index, entry] of page.entries()) {
      if (index % KEYS_A_STEP === KEYS_A_STEP - 1) yield;
      see(entry);
    }
    yield;
    from = next;
  } while (from !== 0);
}
