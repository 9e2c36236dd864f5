/**
 * Members' entries that are dated too far ahead of the clock to be folded. They are stored as bytes, and their number
 * is bounded. An entry for which there is no room is received again when members compare their entries. Each entry is
 * folded when its date is reached.
 */
import { readEntryBody } from "../../protocol/version-2/decision-body.js";
import { compareOrderKeys, type Entry, type OrderKey, orderKeyOf } from "./entries/entry.js";
import { Heap } from "./entries/heap.js";

/** Maximum entries: enough for a client whose clock is ahead and that writes at the full rate for a few seconds. */
const ENTRIES_MAX = 50_000;
/** Maximum bytes of bodies and signatures. */
const BYTES_MAX = 32 * 1024 * 1024;

interface Waiting extends OrderKey {
  readonly body: Buffer;
  readonly signature: Buffer;
}

export class FutureEntries {
  readonly #heap = new Heap<Waiting>(compareOrderKeys);
  #bytes = 0;

  get size(): number {
    return this.#heap.size;
  }

  /** The date of the first entry, or infinity if there are none. */
  get firstAt(): number {
    return this.#heap.first?.at ?? Number.POSITIVE_INFINITY;
  }

  /** @param bytes  the length of body and signature */
  hasRoom(bytes: number): boolean {
    return this.#heap.size < ENTRIES_MAX && this.#bytes + bytes <= BYTES_MAX;
  }

  /** Adds entries. Their bytes are copied, because they may be views of much larger buffers. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const [body, signature] = [Buffer.from(entry.body), Buffer.from(entry.signature)];
      this.#heap.push({ ...orderKeyOf(entry), body, signature });
      this.#bytes += body.length + signature.length;
    }
  }

  /** Removes and returns the entries dated up to a time, in order. */
  takeUntil(until: number): Entry[] {
    const due: Entry[] = [];
    while (this.#heap.size > 0 && this.firstAt <= until) {
      const { id, body, signature } = this.#heap.shift();
      this.#bytes -= body.length + signature.length;
      due.push({ id, body, signature, envelope: readEntryBody(body) });
    }
    return due;
  }
}
