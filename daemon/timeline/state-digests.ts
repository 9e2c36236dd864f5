/**
 * Digests by which daemons compare their states. The keys are divided into buckets, and the sum of each bucket is
 * computed in short steps while the state changes, so the sums only locate keys that may differ. The digest of a single
 * key is exact as of a date.
 * Source: docs/decisions/0043-members-compare-their-states.md.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Steps } from "../../protocol/steps.js";
import { digestOfEntry, hashOfKey } from "../store/canonical-state.js";
import type { Database } from "../store/database.js";
import { isExpired, type Keyspace } from "../store/keyspace/keyspace.js";
import type { Digest64 } from "../store/values/digest-mix.js";
import { firstOrderKey, type OrderKey } from "./entries/entry.js";
import type { Fold } from "./fold/fold.js";
import type { ServingFold } from "./serving-fold.js";

/** The selection of the part of a state that is summed up. */
export interface SumSelection {
  /** The sums include the entries dated before this time, and no later ones; milliseconds since 1970. */
  readonly at: number;
  /** Selects the bucket of a key, and the part of a large value that is sampled. */
  readonly salt: number;
}

export interface StateSums {
  /** The sums cover only one of this many shares of the keys, which the salt selects; a power of two. */
  readonly shares: number;
  /** One sum for each bucket, or `UNCOMPARED` if it is unknown. The number of buckets is a power of two. */
  readonly sums: Uint32Array;
}

/** Replaces the sum of a bucket that cannot be compared, because some of its keys have changed since the date. */
export const UNCOMPARED = 0xffff_ffff;

export interface NamedKey {
  readonly db: number;
  readonly key: ByteString;
}

export interface KeyDigest extends NamedKey {
  /** The digest, or null if the key does not exist. */
  readonly digest: Digest64 | null;
}

/** The selection of the keys of a share that are in the wanted buckets. */
export interface WantedKeys {
  readonly wanted: ReadonlySet<number>;
  readonly shares: number;
  readonly buckets: number;
  readonly salt: number;
  readonly max: number;
}

/** The approximate maximum number of keys in a share: a larger keyspace is compared share by share. */
const SHARE_KEYS = 2 ** 20;
const KEYS_PER_BUCKET = 8;
const BUCKETS_MIN = 16;
const BUCKETS_MAX = 65_536;
/** The number of keys, or of entries of the tail, that are processed between two readings of the clock. */
const KEYS_PER_STEP = 32;
/**
 * The number of keys in a page. Each page reads one segment of the table; scanning its cells takes a few microseconds.
 */
const KEYS_PER_PAGE = 512;
const ENTRIES_PER_STEP = 256;

export class StateDigests {
  readonly #folding: ServingFold;

  constructor(folding: ServingFold) {
    this.#folding = folding;
  }

  /**
   * Whether the state before a date is known exactly now: everything is folded, and all later changes can be
   * recognized.
   */
  isExact(at: number): boolean {
    const { fold, entryStore, waiting, isServing } = this.#folding;
    const { cutAt, end } = fold;
    if (end !== null && end.at < at) return false;
    return cutAt < at && isServing && waiting.hasNoneUpTo(at) && entryStore.countsBefore(at);
  }

  /** Computes the sums while the state may change. */
  *sums({ at, salt }: SumSelection): Steps<StateSums> {
    const { database } = this.#folding.fold;
    const keys = database.keyspaces.reduce((sum, { size }) => sum + size, 0);
    const shares = powerOfTwo(keys / SHARE_KEYS, 1, 2 ** 16);
    const buckets = powerOfTwo(keys / shares / KEYS_PER_BUCKET, BUCKETS_MIN, BUCKETS_MAX);
    const sums = new Uint32Array(buckets);

    for (const [db, keyspace] of database.keyspaces.entries())
      yield* eachKey(keyspace, (entry) => {
        const hash = hashOfKey(db, entry.key, salt);
        if (!isOfShare(hash, shares, salt) || isInvisible(entry, at)) return;
        const bucket = bucketOf(hash, buckets);
        sums[bucket] = (sums[bucket] as number) + digestOfEntry(db, entry, salt).low;
      });

    // A sum may happen to equal the number that means unknown.
    for (const [bucket, sum] of sums.entries()) if (sum === UNCOMPARED) sums[bucket] = 0;
    yield* this.#excludeChanged({ at, salt }, sums);
    return { shares, sums };
  }

  *#excludeChanged({ at, salt }: SumSelection, sums: Uint32Array): Steps<void> {
    for (let from: OrderKey | null = firstOrderKey(at); from !== null; ) {
      const { keys, changesDatabase, next }: ReturnType<Fold["changedFrom"]> = this.#folding.fold.changedFrom(
        from,
        ENTRIES_PER_STEP,
      );

      if (changesDatabase) sums.fill(UNCOMPARED);
      for (const { db, key } of keys) sums[bucketOf(hashOfKey(db, key, salt), sums.length)] = UNCOMPARED;
      from = next;
      yield;
    }
  }

  /** Finds the keys in the given buckets while the state may change. */
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
   * Returns the digests of the given keys as of a date, except for keys that have changed since that date. Returns null
   * if the digests cannot be determined now.
   */
  digests({ at, salt }: SumSelection, keys: readonly NamedKey[]): KeyDigest[] | null {
    if (!this.isExact(at)) return null;
    const { database } = this.#folding.fold;
    const changed = this.#changedSince(at, keys);
    return changed === null
      ? null
      : keys
          .filter((named) => !changed.has(nameOf(named)))
          .map(({ db, key }) => ({ db, key, digest: digestIn(database, { db, key }, { at, salt }) }));
  }

  /**
   * Returns the given keys that were changed by entries dated at or after a time, or null if a complete database was
   * changed, so that all of the keys may have changed.
   */
  #changedSince(at: number, keys: readonly NamedKey[]): ReadonlySet<string> | null {
    const names = new Set(keys.map(nameOf));
    const changed = new Set<string>();

    for (let from: OrderKey | null = firstOrderKey(at); from !== null; ) {
      const {
        keys: some,
        changesDatabase,
        next,
      }: ReturnType<Fold["changedFrom"]> = this.#folding.fold.changedFrom(from, ENTRIES_PER_STEP);

      if (changesDatabase) return null;
      for (const name of some.map(nameOf)) if (names.has(name)) changed.add(name);
      from = next;
    }

    return changed;
  }
}

export const nameOf = ({ db, key }: NamedKey): string => `${db}:${key}`;

function digestIn(database: Database, { db, key }: NamedKey, { at, salt }: SumSelection): Digest64 | null {
  const entry = database.keyspaces[db]?.find(key);
  return entry === undefined || isInvisible(entry, at) ? null : digestOfEntry(db, entry, salt);
}

/** Whether the key had expired at that date, even if this daemon has not dropped the key yet. */
const isInvisible = (entry: Parameters<typeof isExpired>[0], at: number) => isExpired(entry, at);

/**
 * Returns the bucket of a key, which the upper bits of its hash select. As a result, each bucket of a daemon with few
 * buckets contains the same keys as several complete buckets of a daemon with more.
 */
const bucketOf = (hash: number, buckets: number): number => Math.floor((hash / 2 ** 32) * buckets);

/** Whether a key is in the share, by the lower bits of its hash. */
const isOfShare = (hash: number, shares: number, salt: number): boolean => hash % shares === salt % shares;

function powerOfTwo(min: number, from: number, to: number): number {
  let power = from;
  while (power < min && power < to) power *= 2;
  return power;
}

/**
 * Visits each key that exists during the complete walk exactly once, in the order of scans. (Removing a key moves
 * another key in the table, so a walk by index could visit the moved key twice.) If a key of a page changes before it
 * is visited, it counts as changed since the date of the sums.
 */
function* eachKey(keyspace: Keyspace, visit: (entry: Keyspace["entries"][number]) => void): Steps<void> {
  let from = 0;
  do {
    const { slots, next } = keyspace.page({ from, count: KEYS_PER_PAGE });
    const page = slots.map((slot) => keyspace.entries[slot] as Keyspace["entries"][number]);
    for (const [index, entry] of page.entries()) {
      if (index % KEYS_PER_STEP === KEYS_PER_STEP - 1) yield;
      visit(entry);
    }
    yield;
    from = next;
  } while (from !== 0);
}
