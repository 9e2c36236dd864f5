/**
 * A map from prefixes to values. To find all prefixes of a text, it looks up the text's beginning once for each length,
 * instead of comparing each prefix.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

export class PrefixMap<Value> {
  readonly #values = new Map<ByteString, Value>();
  /** The number of prefixes of each length. */
  readonly #lengths = new Map<number, number>();

  get size(): number {
    return this.#values.size;
  }

  get(prefix: ByteString): Value | undefined {
    return this.#values.get(prefix);
  }

  values(): Iterable<Value> {
    return this.#values.values();
  }

  set(prefix: ByteString, value: Value): void {
    const { length } = prefix;
    if (!this.#values.has(prefix)) this.#lengths.set(length, (this.#lengths.get(length) ?? 0) + 1);
    this.#values.set(prefix, value);
  }

  delete(prefix: ByteString): void {
    if (!this.#values.delete(prefix)) return;
    const { length } = prefix;
    const remaining = (this.#lengths.get(length) as number) - 1;
    if (remaining === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, remaining);
  }

  /** Yields the values of all stored prefixes of a text. */
  *matching(text: ByteString): Generator<Value> {
    for (const length of this.lengthsUpTo(text.length)) {
      const found = this.#values.get(text.slice(0, length));
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
