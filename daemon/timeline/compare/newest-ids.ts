import { STEP_ITEMS, type Steps } from "../../../protocol/steps.js";
import type { OrderKey } from "../entries/entry.js";

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
