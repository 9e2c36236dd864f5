/** Memory limits for tests: one that is never reached, and one that is always exceeded. */
import type { MemoryLimit } from "../../daemon/engine/memory/memory-limit.js";
import { double } from "./double.js";

export const UNBOUNDED = double<MemoryLimit>({
  isFull: false,
  refuses: () => false,
  refusal: () => null,
});

/** The limit of a daemon whose memory is full. */
export const FULL = double<MemoryLimit>({
  isFull: true,
  refuses: (needsMemory) => needsMemory,
  refusal: () => null,
});
