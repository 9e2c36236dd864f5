/**
 * Slots by the hashes of their names: an extendible hash table. Small segments split one at a time as they fill, so no
 * insertion ever moves more than one segment. A cell takes eight bytes, and half to four fifths of the cells are in
 * use; a Map would take 28 to 56 bytes for each name and block the daemon while it grows. The caller stores and
 * compares the names.
 * Source: Fagin et al., "Extendible Hashing", 1979; removal as in Knuth, volume 3, 6.4, algorithm R.
 */

/** Number of cells of the smallest segment. */
const CELLS_MIN = 32;
/**
 * Maximum number of cells of a segment; a larger one is split in two. Moving 4,096 cells takes about ten microseconds.
 */
const CELLS_MAX = 4096;
/**
 * The directory has at most 2^DEPTH_MAX elements. After that, segments grow instead of being split, which in practice
 * happens only if many hashes are equal.
 */
const DEPTH_MAX = 20;

/** The number of hashes. */
export const HASHES = 2 ** 32;

/** A slot, and the hash of its name as an unsigned number. */
export interface HashedSlot {
  readonly hash: number;
  readonly slot: number;
}

/** A part of the table. Each cell is a pair of numbers: the slot + 1 (0 if the cell is free), and the hash. */
export class Segment {
  cells: Int32Array;
  mask: number;
  used = 0;
  /** Number of leading bits that are the same in all hashes of this segment. */
  depth: number;

  constructor(capacity: number, depth: number) {
    this.cells = new Int32Array(2 * capacity);
    this.mask = capacity - 1;
    this.depth = depth;
  }

  get isFull(): boolean {
    return this.used * 5 >= (this.mask + 1) * 4;
  }

  /**
   * Returns the first cell with this hash, or -1.
   * @param from the hash itself, or the cell after the previous result
   */
  seek(hash: number, from: number): number {
    const { cells, mask } = this;
    for (let at = from & mask; ; at = (at + 1) & mask) {
      if (cells[2 * at] === 0) return -1;
      if (cells[2 * at + 1] === hash) return at;
    }
  }

  slotAt(cell: number): number {
    return this.cells[2 * cell]! - 1;
  }

  setSlot(cell: number, slot: number): void {
    this.cells[2 * cell] = slot + 1;
  }

  add(hash: number, slot: number): void {
    const { cells, mask } = this;
    let at = hash & mask;
    while (cells[2 * at] !== 0) at = (at + 1) & mask;
    cells[2 * at] = slot + 1;
    cells[2 * at + 1] = hash;
    this.used++;
  }

  /** Returns the cell that contains the given slot. The segment must contain the slot. */
  cellOf(hash: number, slot: number): number {
    let at = hash & this.mask;
    while (this.cells[2 * at] !== slot + 1) at = (at + 1) & this.mask;
    return at;
  }

  /** Frees a cell and moves displaced cells after it up. */
  free(cell: number): void {
    const { cells, mask } = this;
    let hole = cell;
    for (let at = (hole + 1) & mask; cells[2 * at] !== 0; at = (at + 1) & mask) {
      const wanted = cells[2 * at + 1]! & mask;
      if (((at - wanted) & mask) < ((at - hole) & mask)) continue;
      cells[2 * hole] = cells[2 * at]!;
      cells[2 * hole + 1] = cells[2 * at + 1]!;
      hole = at;
    }

    cells[2 * hole] = 0;
    this.used--;
  }

  /** Collects the slots with hashes `low` ≤ hash < `high`, both unsigned. */
  collect(low: number, high: number, found: HashedSlot[]): void {
    const { cells } = this;
    for (let i = 0; i < cells.length; i += 2) {
      if (cells[i] === 0) continue;
      const hash = cells[i + 1]! >>> 0;
      if (hash >= low && hash < high) found.push({ hash, slot: cells[i]! - 1 });
    }
  }

  resize(capacity: number): void {
    const { cells } = this;
    this.cells = new Int32Array(2 * capacity);
    this.mask = capacity - 1;
    this.used = 0;
    for (let i = 0; i < cells.length; i += 2) if (cells[i] !== 0) this.add(cells[i + 1]!, cells[i]! - 1);
  }
}

export class SlotIndex {
  /** Segments by the highest bits of a hash. Several elements of the directory may refer to the same segment. */
  #directory: Segment[] = [new Segment(CELLS_MIN, 0)];
  #depth = 0;

  /**
   * Returns the segment that a hash belongs to. The caller compares the names itself, because a callback would be
   * allocated for each call.
   */
  segment(hash: number): Segment {
    // A shift by 32 bits does nothing in JavaScript.
    return this.#directory[this.#depth === 0 ? 0 : hash >>> (32 - this.#depth)]!;
  }

  add(hash: number, slot: number): void {
    let segment = this.segment(hash);
    while (segment.isFull) {
      if (segment.mask + 1 < CELLS_MAX || segment.depth >= DEPTH_MAX) segment.resize(2 * (segment.mask + 1));
      else this.#split(segment, hash);
      segment = this.segment(hash);
    }
    segment.add(hash, slot);
  }

  /** Removes the entry with the given hash and slot. */
  remove(hash: number, slot: number): void {
    const segment = this.segment(hash);
    segment.free(segment.cellOf(hash, slot));
    const capacity = segment.mask + 1;
    if (capacity > CELLS_MIN && segment.used * 8 < capacity) segment.resize(capacity / 2);
  }

  /** Moves the entry with the given hash from one slot to another. */
  move(hash: number, from: number, to: number): void {
    const segment = this.segment(hash);
    segment.setSlot(segment.cellOf(hash, from), to);
  }

  /**
   * Collects the slots of about `wanted` hashes, starting at `low`; slots with equal hashes are collected together.
   * @returns the hash with which the next call continues; HASHES if all slots have been collected
   */
  collect(low: number, wanted: number, found: HashedSlot[]): number {
    const segment = this.segment(low | 0);
    const width = HASHES / 2 ** segment.depth;
    const end = Math.floor(low / width + 1) * width;
    const share = Math.min(1, wanted / Math.max(1, segment.used));
    const high = Math.min(end, low + Math.ceil(share * width));
    segment.collect(low, high, found);
    return high;
  }

  #split(segment: Segment, hash: number): void {
    if (segment.depth === this.#depth) {
      this.#directory = this.#directory.flatMap((each) => [each, each]);
      this.#depth++;
    }

    const depth = segment.depth + 1;
    const halves = [new Segment(CELLS_MAX, depth), new Segment(CELLS_MAX, depth)] as const;
    const { cells } = segment;
    for (let i = 0; i < cells.length; i += 2) {
      if (cells[i] === 0) continue;
      halves[((cells[i + 1]! >>> (32 - depth)) & 1) as 0 | 1].add(cells[i + 1]!, cells[i]! - 1);
    }

    const each = 2 ** (this.#depth - depth);
    const first = Math.floor((hash >>> (32 - this.#depth)) / (2 * each)) * 2 * each;
    for (let i = 0; i < 2 * each; i++) this.#directory[first + i] = halves[i < each ? 0 : 1];
  }
}
