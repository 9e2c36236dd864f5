/**
 * Entries of members that are dated further ahead of the clock than is folded. They wait as bytes, and their number
 * is bounded: an entry without room is sent again when members compare their entries, and is folded when its date
 * comes.
 */
import { readBody } from "../protocol/version-2/envelope.js";
import { comparePlaces, type Entry, type Place, placeOf } from "./entries/entry.js";
import { Heap } from "./entries/heap.js";

/** Maximum entries: enough for a client whose clock is ahead and that writes at full rate for some seconds. */
const ENTRIES_MAX = 50_000;
/** Bytes of bodies and signatures, at most. */
const BYTES_MAX = 32 * 1024 * 1024;

interface Waiting extends Place {
  readonly body: Buffer;
  readonly signature: Buffer;
}

export class Ahead {
  readonly #heap = new Heap<Waiting>(comparePlaces);
  #bytes = 0;

  get size(): number {
    return this.#heap.size;
  }

  /** Date of the first; infinity: there are none. */
  get firstAt(): number {
    return this.#heap.first?.at ?? Number.POSITIVE_INFINITY;
  }

  /** @param bytes  of body and signature */
  hasRoom(bytes: number): boolean {
    return this.#heap.size < ENTRIES_MAX && this.#bytes + bytes <= BYTES_MAX;
  }

  /** Copies their bytes, which may be views of much more. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const [body, signature] = [Buffer.from(entry.body), Buffer.from(entry.signature)];
      this.#heap.push({ ...placeOf(entry), body, signature });
      this.#bytes += body.length + signature.length;
    }
  }

  /** Removes and returns the entries dated up to a time, in order. */
  takeDue(until: number): Entry[] {
    const due: Entry[] = [];
    while (this.#heap.size > 0 && this.firstAt <= until) {
      const { id, body, signature } = this.#heap.shift();
      this.#bytes -= body.length + signature.length;
      due.push({ id, body, signature, envelope: readBody(body) });
    }
    return due;
  }
}
