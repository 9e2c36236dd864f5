/**
 * A reply of many bulk strings whose items are made only if somebody asks for them: a million objects of its own would cost
 * more than finding the strings, and those who write it need the strings alone.
 */
import type { ByteString } from "./byte-string.js";
import { bulk, type Reply } from "./reply.js";

export class BulkArray {
  readonly kind = "array";
  readonly values: readonly ByteString[];
  #items: readonly Reply[] | null = null;

  constructor(values: readonly ByteString[]) {
    this.values = values;
  }

  get items(): readonly Reply[] {
    this.#items ??= this.values.map(bulk);
    return this.#items;
  }
}
