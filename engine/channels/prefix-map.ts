/**
 * A map from prefixes to values. To find all prefixes of a text, it looks up the text's beginning once for each length,
 * instead of comparing each prefix.
 */
import type { ByteString } from "../../protocol/byte-string.js";

export class PrefixMap<Of> {
  readonly #all = new Map<ByteString, Of>();
  /** The number of prefixes of each length. */
  readonly #lengths = new Map<number, number>();

  get size(): number {
    return this.#all.size;
  }

  get(beginning: ByteString): Of | undefined {
    return this.#all.get(beginning);
  }

  values(): Iterable<Of> {
    return this.#all.values();
  }

  set(beginning: ByteString, of: Of): void {
    const { length } = beginning;
    if (!this.#all.has(beginning)) this.#lengths.set(length, (this.#lengths.get(length) ?? 0) + 1);
    this.#all.set(beginning, of);
  }

  delete(beginning: ByteString): void {
    if (!this.#all.delete(beginning)) return;
    const { length } = beginning;
    const remaining = (this.#lengths.get(length) as number) - 1;
    if (remaining === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, remaining);
  }

  /** Yields the values of all stored prefixes of a text. */
  *of(text: ByteString): Generator<Of> {
    for (const length of this.lengthsUpTo(text.length)) {
      const found = this.#all.get(text.slice(0, length));
      if (found !== undefined) yield found;
    }
  }

  /**
   * Yields the lengths to look up: either the lengths of all stored prefixes, or all lengths up to the length of the
   * text, whichever are fewer.
   */
  *lengthsUpTo(max: number): Generator<number> {
    if (this.#lengths.size > max) for (let length = 0; length <= max; length++) yield length;
    else for (const length of this.#lengths.keys()) if (length <= max) yield length;
  }
}
