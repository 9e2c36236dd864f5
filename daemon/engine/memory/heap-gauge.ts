/** The gauge of the memory in use, which V8 reports. */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * The memory that the process uses, as V8 reports it. The figure includes live objects and garbage. It is therefore an
 * upper bound of the live objects, and exact only immediately after a garbage collection.
 */
export interface MemoryGauge {
  /** Returns the bytes of objects, buffers and garbage. The call takes about a microsecond. */
  used(): number;
  /** Collects the garbage. It blocks the process for 0.5 to 1 ms per MiB. */
  collect(): void;
  /** The heap size in bytes at which V8 aborts the process; buffers do not count. */
  readonly heapMax: number;
}

type Collector = (how?: { readonly type: "minor" }) => void;

/** The gauge of the current process. */
export class HeapGauge implements MemoryGauge {
  #collect: Collector | null = null;

  get heapMax(): number {
    return getHeapStatistics().heap_size_limit;
  }

  used(): number {
    const { used_heap_size, external_memory } = getHeapStatistics();
    return used_heap_size + external_memory;
  }

  collect(): void {
    this.#collect ??= collector();
    this.#collect();
    // Start a minor collection too: buffers are released in the background, and still count until the next collection
    // begins.
    this.#collect({ type: "minor" });
  }
}

/**
 * Returns the garbage collection function of `node --expose-gc`, even if this process was started without that option.
 */
function collector(): Collector {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}
