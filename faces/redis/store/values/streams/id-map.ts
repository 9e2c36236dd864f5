import type { StreamId } from "./stream-id.js";

/** Maximum number of ids in a block. */
const BLOCK_MAX = 128;
/** A block smaller than this is merged with the next one if the result has room left. */
const BLOCK_MIN = BLOCK_MAX / 4;
const JOINED_MAX = (BLOCK_MAX * 3) / 4;

/** A block of ids and values as parallel arrays: an object for each id would cost more than its contents. */
interface Block<V> {
  readonly ids: StreamId[];
  readonly values: V[];
}

/**
 * A map from the ids of entries to values, in ascending order. Neighbouring ids are stored in blocks: finding or
 * changing a value takes O(log n), and a range is read block by block. Most ids are added at the end, and most are
 * removed at the beginning. The division into blocks is not part of the state.
 */
export class IdMap<V> {
  /** The blocks in order; none of them is empty. */
  readonly #blocks: Block<V>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The lowest id, or undefined if the map is empty. */
  get firstId(): StreamId | undefined {
    return this.#blocks[0]?.ids[0];
  }

  get lastId(): StreamId | undefined {
    return this.#blocks.at(-1)?.ids.at(-1);
  }

  get(id: StreamId): V | undefined {
    const block = this.#blocks[this.#blockOf(id)];
    if (block === undefined) return undefined;
    const index = indexOfId(block.ids, id);
    return block.ids[index] === id ? block.values[index] : undefined;
  }

  /** Returns the highest id that is not above the given one, and its value. */
  atOrBefore(id: StreamId): readonly [StreamId, V] | undefined {
    const block = this.#blocks[this.#blockOf(id)];
    if (block === undefined) return undefined;
    const index = indexOfId(block.ids, id + 1n) - 1;
    return [block.ids[index] as StreamId, block.values[index] as V];
  }

  /** @returns the id's previous value */
  set(id: StreamId, value: V): V | undefined {
    const at = Math.max(0, this.#blockOf(id));
    const block = this.#blocks[at];
    if (block === undefined) {
      this.#blocks.push({ ids: [id], values: [value] });
      this.#size++;
      return undefined;
    }

    const index = indexOfId(block.ids, id);
    if (block.ids[index] === id) {
      const old = block.values[index];
      block.values[index] = value;
      return old;
    }

    this.#insert(at, index, id, value);
    return undefined;
  }

  /** @returns the id's previous value, or undefined if it was absent */
  delete(id: StreamId): V | undefined {
    const at = this.#blockOf(id);
    const block = this.#blocks[at];
    if (block === undefined) return undefined;

    const { ids, values } = block;
    const index = indexOfId(ids, id);
    if (ids[index] !== id) return undefined;

    const old = values[index];
    takeOut(ids, index);
    takeOut(values, index);
    this.#size--;
    if (ids.length === 0) this.#blocks.splice(at, 1);
    else if (ids.length < BLOCK_MIN) this.#join(at);
    return old;
  }

  /** Yields the ids `from` ≤ id ≤ `to` and their values, in order. The map must not change meanwhile. */
  *range(from: StreamId, to: StreamId): Generator<readonly [StreamId, V]> {
    for (let at = Math.max(0, this.#blockOf(from)); at < this.#blocks.length; at++) {
      const { ids, values } = this.#blocks[at] as Block<V>;
      for (let index = indexOfId(ids, from); index < ids.length; index++) {
        const id = ids[index] as StreamId;
        if (id > to) return;
        yield [id, values[index] as V];
      }
    }
  }

  *[Symbol.iterator](): Generator<readonly [StreamId, V]> {
    for (const { ids, values } of this.#blocks)
      for (const [index, id] of ids.entries()) yield [id, values[index] as V];
  }

  #insert(at: number, index: number, id: StreamId, value: V): void {
    const { ids, values } = this.#blocks[at] as Block<V>;
    this.#size++;

    const isLast = at === this.#blocks.length - 1 && index === ids.length;
    if (isLast && ids.length < BLOCK_MAX) {
      ids.push(id);
      values.push(value);
    } else if (ids.length < BLOCK_MAX) {
      ids.splice(index, 0, id);
      values.splice(index, 0, value);
    } else if (isLast) {
      // The full block is not split, so ids that are added in order leave full blocks.
      this.#blocks.push({ ids: [id], values: [value] });
    } else {
      ids.splice(index, 0, id);
      values.splice(index, 0, value);
      const half = ids.length >> 1;
      this.#blocks.splice(at + 1, 0, { ids: ids.splice(half), values: values.splice(half) });
    }
  }

  /** Returns the index of the last block that begins at or before the given id, or -1 if there is no such block. */
  #blockOf(id: StreamId): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (((this.#blocks[middle] as Block<V>).ids[0] as StreamId) <= id) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Merges a block with the next one if both are small enough. */
  #join(at: number): void {
    const block = this.#blocks[at];
    const next = this.#blocks[at + 1];
    if (block === undefined || next === undefined) return;
    if (block.ids.length + next.ids.length > JOINED_MAX) return;
    block.ids.push(...next.ids);
    block.values.push(...next.values);
    this.#blocks.splice(at + 1, 1);
  }
}

/** Removes an element. Most elements are removed at an end, where pop and shift allocate no array, unlike splice. */
function takeOut(from: unknown[], index: number): void {
  if (index === from.length - 1) from.pop();
  else if (index === 0) from.shift();
  else from.splice(index, 1);
}

/** Returns the number of ids of a block that are lower than the given id. */
function indexOfId(ids: readonly StreamId[], id: StreamId): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] as StreamId) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
