/**
 * How much memory the process uses, as V8 tells. Nothing is counted as commands come: a figure is what live objects and the
 * garbage between them take, so it says for sure only that there is no more than that, and right after a collection what
 * there is.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface MemoryGauge {
  /** Bytes of objects, buffers and garbage. Costs a microsecond. */
  used(): number;
  /** Throws the garbage away; everything else stands still meanwhile, half a millisecond to one for each MiB. */
  collect(): void;
  /** Bytes at which V8 gives up, and the process ends; buffers do not count. */
  readonly most: number;
}

type Collector = (how?: { readonly type: "minor" }) => void;

/** Of this process. */
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
    // Buffers are thrown away beside the program, and counted as gone when the next collection begins: a small one does.
    this.#collect({ type: "minor" });
  }
}

/** The function that `node --expose-gc` would give, for this process has been started without. */
function collector(): Collector {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}
