/**
 * The contents of a timeline as counts and sums of ids for intervals of 1, 64 and 4096 seconds. With these sums members
 * find in a few steps where their entries differ, and can compute a digest up to a date at low cost. Entries of the key
 * ring are counted separately from data. Memory is bounded: for old dates only the coarser sums are stored, and the
 * finer ones are computed from the storage on request. Equal sums are a hint, not a proof, because a signer could
 * search for ids with a certain sum.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { STEP_ITEMS, type Steps } from "../../../protocol/steps.js";
import { ENTRY_ORDER_KEY_BYTES } from "../../../protocol/version-2/envelope.js";
import { firstOrderKeyBytes, type OrderKey, writeOrderKey } from "../entries/entry.js";
import type { Storage } from "../entries/storage.js";
import {
  addWords,
  ROW_BYTES,
  readWords,
  readWordsAt,
  SUM_WORDS,
  SumTable,
  type Words,
  writeWords,
} from "./sum-table.js";

/** `ring`: envelopes whose commands are all for the key ring; `data`: all other envelopes. */
export type DigestSet = "ring" | "data";

export interface Digest {
  readonly count: number;
  /** The sum of the ids as big-endian numbers, mod 2^256: 32 bytes. */
  readonly sum: ByteString;
}

/** The number of seconds that a row covers, by level. */
export const LEVEL_SECONDS = [1, 64, 4096] as const;
/** The number of rows of a level that one row of the next level combines. */
const FANOUT = 64;
/**
 * The maximum number of rows of each finer level, which take 5 MB. If every interval has entries, the rows of one
 * second cover 36 hours, and the rows of 64 seconds cover 97 days.
 */
const ROWS_MAX = 131_072;
/** The number of rows that remain after old rows were dropped. */
const ROWS_LEFT = (ROWS_MAX / 4) * 3;
/**
 * A snapshot contains the rows of the two finer levels only for this many seconds before its date, rounded to a row of
 * the coarsest level. The numbers are constants, so that every daemon saves the same rows, even if some daemons have
 * older rows in memory.
 */
const SAVED_SECONDS = [8192, 2 ** 22] as const;
const ROWS_PER_CHUNK = 1024;
const FORMAT = 1;
const HEAD_BYTES = 4 + 6 * 2 + 4 * LEVEL_SECONDS.length;

/** Returns the key of the row that contains a second. */
const keyOf = (second: number, level: number): number =>
  Math.floor(second / (LEVEL_SECONDS[level] as number));

/** The sums of one set, at all levels. */
class Sums {
  count = 0;
  readonly sum: Words = new Uint32Array(SUM_WORDS);
  /** One table for each of LEVEL_SECONDS. */
  readonly tables = LEVEL_SECONDS.map(() => new SumTable());
  /** The first second from which each level is complete, by level. */
  readonly from: number[] = LEVEL_SECONDS.map(() => 0);

  add(second: number, id: Words): void {
    this.count++;
    addWords(this.sum, 0, id, 0);
    for (let level = 0; level < LEVEL_SECONDS.length; level++) {
      if (second < (this.from[level] as number)) continue;
      (this.tables[level] as SumTable).add(keyOf(second, level), id);
    }
    for (let level = 0; level < LEVEL_SECONDS.length - 1; level++) this.bound(level, ROWS_MAX, ROWS_LEFT);
  }

  subtract(second: number, id: Words): void {
    this.count--;
    addWords(this.sum, 0, negative(id), 0);
    for (let level = 0; level < LEVEL_SECONDS.length; level++) {
      if (second < (this.from[level] as number)) continue;
      (this.tables[level] as SumTable).subtract(keyOf(second, level), id);
    }
  }

  clear(): void {
    this.count = 0;
    this.sum.fill(0);
    for (const table of this.tables) table.clear();
    this.from.fill(0);
  }

  /**
   * If a level has more than `max` rows, drops the oldest rows until at most `left` rows remain. The first remaining
   * row begins together with a row of the next level.
   */
  bound(level: number, max: number, left: number): void {
    const table = this.tables[level] as SumTable;
    if (table.size <= max) return;
    const oldest = Math.ceil(table.keyAt(table.size - left) / FANOUT) * FANOUT;
    table.dropBelow(oldest);
    this.from[level] = oldest * (LEVEL_SECONDS[level] as number);
  }
}

export class DigestIndex {
  readonly #storage: Pick<Storage, "orderKeys"> | null;
  readonly #sums: Readonly<Record<DigestSet, Sums>> = { ring: new Sums(), data: new Sums() };
  /** Order keys of ring entries, in order. */
  readonly #ring: Buffer[] = [];
  readonly #id: Words = new Uint32Array(SUM_WORDS);
  /** The newest ids of data in an index that is saved, or null if the index has a storage, which contains all ids. */
  readonly newestIds: NewestIds | null;

  /**
   * @param storage  contains the counted order keys; without it the index can be filled in order and saved, but not
   * compared
   * @param newestIds  tests pass a shorter list
   */
  constructor(storage: Pick<Storage, "orderKeys"> | null = null, newestIds = new NewestIds()) {
    this.#storage = storage;
    this.newestIds = storage === null ? newestIds : null;
  }

  /** Counts an entry that was not counted before. */
  add(orderKey: OrderKey, isRing: boolean): void {
    if (isRing) {
      const bytes = writeOrderKey(orderKey);
      this.#ring.splice(this.#ringFrom(bytes), 0, bytes);
    } else this.newestIds?.add(orderKey);
    readWords(orderKey.id, this.#id);
    this.#sums[isRing ? "ring" : "data"].add(Math.floor(orderKey.at / 1000), this.#id);
  }

  /** Stops counting an entry. @returns the set that it was in */
  remove(orderKey: OrderKey): DigestSet {
    const bytes = writeOrderKey(orderKey);
    const i = this.#ringFrom(bytes);
    const isRing = this.#ring[i]?.equals(bytes) === true;
    if (isRing) this.#ring.splice(i, 1);
    readWords(orderKey.id, this.#id);
    const set = isRing ? "ring" : "data";
    this.#sums[set].subtract(Math.floor(orderKey.at / 1000), this.#id);
    return set;
  }

  clear(): void {
    this.#sums.ring.clear();
    this.#sums.data.clear();
    this.#ring.length = 0;
  }

  total(set: DigestSet): Digest {
    const { count, sum } = this.#sums[set];
    return { count, sum: bytesOfWords(sum) };
  }

  /** Returns the digest of everything dated before a time. @param at  milliseconds since 1970 */
  digestUpTo(at: number, set: DigestSet): Digest {
    const { tables, from } = this.#sums[set];
    const second = Math.floor(at / 1000);
    const sum: Words = new Uint32Array(SUM_WORDS);
    let count = 0;
    let reached = 0;

    for (let level = LEVEL_SECONDS.length - 1; level >= 0; level--) {
      if (reached < (from[level] as number)) break;
      const seconds = LEVEL_SECONDS[level] as number;
      const table = tables[level] as SumTable;
      const end = Math.floor(second / seconds);
      count += table.addTo(sum, table.firstFrom(reached / seconds), table.firstFrom(end));
      reached = end * seconds;
    }

    if (reached * 1000 < at) {
      for (const orderKey of this.orderKeys(
        set,
        firstOrderKeyBytes(reached * 1000),
        firstOrderKeyBytes(at),
      )) {
        readWordsAt(orderKey, ENTRY_ORDER_KEY_BYTES - 32, this.#id);
        addWords(sum, 0, this.#id, 0);
        count++;
      }
    }

    return { count, sum: bytesOfWords(sum) };
  }

  /** Yields the order keys of a set, `from` ≤ key < `to`, in order. A bound of null means no bound. */
  *orderKeys(set: DigestSet, from: Buffer | null, to: Buffer | null): Generator<Buffer> {
    // Copy the array, because it may change between two turns.
    const ring = this.#ring.slice(
      from === null ? 0 : this.#ringFrom(from),
      to === null ? undefined : this.#ringFrom(to),
    );

    if (set === "ring") {
      yield* ring;
      return;
    }

    if (this.#storage === null) throw new Error("an index without a storage has no order keys");

    let next = 0;
    for (const orderKey of this.#storage.orderKeys(from, to)) {
      let order = -1;
      while (next < ring.length && (order = Buffer.compare(ring[next] as Buffer, orderKey)) < 0) next++;
      if (next === ring.length || order !== 0) yield orderKey;
    }
  }

  /** Returns the level's table if it is complete from the given second; otherwise null. Used by comparisons. */
  tableFrom(set: DigestSet, level: number, second: number): SumTable | null {
    const { tables, from } = this.#sums[set];
    return second < (from[level] as number) ? null : (tables[level] as SumTable);
  }

  /** Returns the first second from which the level is complete. */
  completeFrom(set: DigestSet, level: number): number {
    return this.#sums[set].from[level] as number;
  }

  /**
   * Yields the sums and the newest ids of data as bytes, for a snapshot of a date. Finer sums of old dates are left
   * out. The index must have no storage, and must not count entries with later dates.
   */
  *serialise(cutAt: number): Generator<Buffer> {
    if (this.newestIds === null) throw new Error("an index with a storage is not saved");
    yield* writeSums(this.#sums.data, cutAt);
    yield* this.newestIds.serialise();
  }

  /**
   * Restores a saved index.
   * @param sums  everything that `serialise` yielded
   * @param ring  order keys of ring entries
   * @throws RangeError  the bytes are of another format or length
   */
  restore(sums: Buffer, ring: Iterable<OrderKey>): void {
    this.clear();
    const idsAt = readSums(this.#sums.data, sums);
    this.newestIds?.restore(sums.subarray(idsAt));
    for (const orderKey of ring) this.add(orderKey, true);
  }

  #ringFrom(orderKey: Buffer): number {
    let low = 0;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Buffer.compare(this.#ring[middle] as Buffer, orderKey) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export const isSameDigest = (a: Digest, b: Digest): boolean => a.count === b.count && a.sum === b.sum;

/** Yields format (4), first complete second of two levels (6 each), rows of each level (4 each), rows. */
function* writeSums({ tables, from }: Sums, cutAt: number): Generator<Buffer> {
  const coarsest = LEVEL_SECONDS.at(-1) as number;
  const end = Math.floor(cutAt / 1000 / coarsest) * coarsest;
  const firstSeconds = SAVED_SECONDS.map((seconds, level) =>
    Math.max(0, end - seconds, from[level] as number),
  );
  const firsts = tables.map((table, level) =>
    level < firstSeconds.length
      ? table.firstFrom((firstSeconds[level] as number) / (LEVEL_SECONDS[level] as number))
      : 0,
  );

  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(FORMAT);
  head.writeUIntBE(firstSeconds[0] as number, 4, 6);
  head.writeUIntBE(firstSeconds[1] as number, 10, 6);
  tables.forEach((table, level) => {
    head.writeUInt32BE(table.size - (firsts[level] as number), 16 + 4 * level);
  });

  yield head;

  for (const [level, table] of tables.entries()) {
    for (let row = firsts[level] as number; row < table.size; row += ROWS_PER_CHUNK)
      yield table.write(row, Math.min(row + ROWS_PER_CHUNK, table.size));
  }
}

/**
 * Reads the sums. The total is made from the coarsest level, which is always complete.
 * @returns the number of bytes read
 */
function readSums(sums: Sums, bytes: Buffer): number {
  if (bytes.readUInt32BE(0) !== FORMAT) throw new RangeError("a digest index of another format");
  sums.from[0] = bytes.readUIntBE(4, 6);
  sums.from[1] = bytes.readUIntBE(10, 6);

  let offset = HEAD_BYTES;
  sums.tables.forEach((table, level) => {
    const end = offset + bytes.readUInt32BE(16 + 4 * level) * ROW_BYTES;
    if (end > bytes.length) throw new RangeError("a digest index ends early");
    table.append(bytes.subarray(offset, end));
    offset = end;
  });

  const coarsest = sums.tables.at(-1) as SumTable;
  sums.count = coarsest.addTo(sums.sum, 0, coarsest.size);
  return offset;
}

function bytesOfWords(words: Words): ByteString {
  const bytes = Buffer.allocUnsafe(SUM_WORDS * 4);
  writeWords(bytes, 0, words, 0);
  return bytesOf(bytes);
}

/** Returns 2^256 minus a number. */
function negative(words: Words): Words {
  const result = words.map((word) => ~word);
  addWords(result, 0, ONE, 0);
  return result;
}

const ONE: Words = Uint32Array.of(1, 0, 0, 0, 0, 0, 0, 0);

/**
 * The maximum number of ids, which take 2 MiB in each snapshot. It is a constant, because all members must make the
 * same snapshot; it exceeds the default of `--snapshot-entries`.
 */
export const NEWEST_IDS_MAX = 262_144;
const SHORT_ID_BYTES = 8;
const ROOM_MIN = 1024;
/** From (6) ‖ number of seconds (4). */
const NEWEST_HEAD_BYTES = 10;
/** Second (6) ‖ number of ids (4). */
const SECOND_BYTES = 10;
const CHUNK_BYTES = 65_536;

interface SecondIds {
  readonly second: number;
  count: number;
}

/**
 * The ids of the newest data entries in a snapshot, by the second of their date. They prove whether the snapshot
 * contains an entry, which sums of many entries cannot. Each id is shortened to its last 64 bits, like the ids that
 * members add up for the groups of one second. The list depends only on the entries, which are added in order, so that
 * every daemon saves the same bytes.
 */
export class NewestIds {
  readonly #max: number;
  readonly #seconds: SecondIds[] = [];
  /** The ids of all seconds, in order, from `#begin` to `#end`. */
  #bytes = Buffer.alloc(0);
  #begin = 0;
  #end = 0;
  #from = 0;

  /** @param max  tests pass a small number */
  constructor(max = NEWEST_IDS_MAX) {
    this.#max = max;
  }

  /** The first second (since 1970) from which all entries of the snapshot are listed. */
  get from(): number {
    return this.#from;
  }

  /**
   * Adds an entry, which must not be older than those before it. Drops the oldest seconds if there are too many ids.
   */
  add({ at, id }: OrderKey): void {
    const second = Math.floor(at / 1000);
    const last = this.#seconds.at(-1);
    if (last?.second === second) last.count++;
    else this.#seconds.push({ second, count: 1 });
    this.#makeRoom();
    this.#bytes.write(id.slice(-SHORT_ID_BYTES), this.#end, "latin1");
    this.#end += SHORT_ID_BYTES;
    while (this.#end - this.#begin > this.#max * SHORT_ID_BYTES && this.#seconds.length > 1) {
      const { second, count } = this.#seconds.shift() as SecondIds;
      this.#begin += count * SHORT_ID_BYTES;
      this.#from = second + 1;
    }
  }

  /** Returns the shortened ids that are listed. */
  *ids(): Steps<ReadonlySet<bigint>> {
    const ids = new Set<bigint>();
    for (let at = this.#begin; at < this.#end; at += SHORT_ID_BYTES) {
      ids.add(this.#bytes.readBigUInt64BE(at));
      if (ids.size % STEP_ITEMS === 0) yield;
    }
    return ids;
  }

  /** Yields from (6) ‖ number of seconds (4), then for each second its number (6) ‖ number of ids (4), then the ids. */
  *serialise(): Generator<Buffer> {
    const head = Buffer.alloc(NEWEST_HEAD_BYTES + this.#seconds.length * SECOND_BYTES);
    head.writeUIntBE(this.#from, 0, 6);
    head.writeUInt32BE(this.#seconds.length, 6);
    for (const [index, { second, count }] of this.#seconds.entries()) {
      const at = NEWEST_HEAD_BYTES + index * SECOND_BYTES;
      head.writeUIntBE(second, at, 6);
      head.writeUInt32BE(count, at + 6);
    }
    yield* chunksOf(head);
    yield* chunksOf(this.#bytes.subarray(this.#begin, this.#end));
  }

  /** Restores a saved list. @param bytes  everything that `serialise` yielded @throws RangeError  a length is wrong */
  restore(bytes: Buffer): void {
    this.#from = bytes.readUIntBE(0, 6);
    const seconds = bytes.readUInt32BE(6);
    const idsAt = NEWEST_HEAD_BYTES + seconds * SECOND_BYTES;
    if (idsAt > bytes.length) throw new RangeError(WRONG_LENGTH);
    this.#seconds.length = 0;
    let ids = 0;
    for (let at = NEWEST_HEAD_BYTES; at < idsAt; at += SECOND_BYTES) {
      const count = bytes.readUInt32BE(at + 6);
      this.#seconds.push({ second: bytes.readUIntBE(at, 6), count });
      ids += count;
    }
    if (idsAt + ids * SHORT_ID_BYTES !== bytes.length) throw new RangeError(WRONG_LENGTH);
    this.#bytes = Buffer.from(bytes.subarray(idsAt));
    this.#begin = 0;
    this.#end = this.#bytes.length;
  }

  /** Makes room for one more id: moves the ids to the beginning if half of the bytes are free, or doubles the bytes. */
  #makeRoom(): void {
    if (this.#end + SHORT_ID_BYTES <= this.#bytes.length) return;
    const used = this.#end - this.#begin;
    const old = this.#bytes;
    if (used * 2 > old.length || old.length === 0)
      this.#bytes = Buffer.alloc(Math.max(ROOM_MIN, old.length * 2));
    old.copy(this.#bytes, 0, this.#begin, this.#end);
    this.#begin = 0;
    this.#end = used;
  }
}

/** Returns the part of an id that the list contains. @param orderKey  42 bytes */
export const shortIdOf = (orderKey: Buffer): bigint =>
  orderKey.readBigUInt64BE(orderKey.length - SHORT_ID_BYTES);

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}

const WRONG_LENGTH = "the length of a list of ids is wrong";
