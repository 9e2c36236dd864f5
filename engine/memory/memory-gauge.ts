/**
 * The memory that the process uses, as V8 reports it. Commands are not counted: a figure covers live objects and the
 * garbage between them, so it is an upper bound, and exact only right after a collection.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface MemoryGauge {
  /** Returns the bytes of objects, buffers and garbage. Takes a microsecond. */
  used(): number;
  /** Collects the garbage and blocks the process: half a millisecond to one for each MiB. */
  collect(): void;
  /** Bytes at which V8 gives up and the process ends; buffers do not count. */
  readonly most: number;
}

type Collector = (how?: { readonly type: "minor" }) => void;

/** The gauge of this process. */
export class HeapGauge implements MemoryGauge {
  #collect: Collector | null = null;

  get most(): number {
    return getHeapStatistics().heap_size_limit;
  }

  used(): number {
    const { used_heap_size, external_memory } = getHeapStatistics();
    return used_heap_size + external_memory;
  }

  collect(): void {
    this.#collect ??= collector();
    this.#collect();
    // Buffers are released in the background, and counted as gone when the next collection begins: a minor one is
    // enough.
    this.#collect({ type: "minor" });
  }
}

/** Returns the function of `node --expose-gc`: this process was started without that option. */
function collector(): Collector {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}
