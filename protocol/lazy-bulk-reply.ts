/**
 * A reply of many bulk strings whose items are created only if they are read. A million objects would cost more than
 * finding the strings, and writers need only the strings.
 */
import type { ByteString } from "./byte-string.js";
import { bulk, type Reply, type ValueReply } from "./reply.js";

/** The minimum number of strings for a lazy reply. */
const MANY = 256;

export type BulksKind = "array" | "set" | "map";

export class LazyBulkReply<Kind extends BulksKind> {
  readonly kind: Kind;
  readonly values: readonly ByteString[];
  #items: readonly Reply[] | null = null;

  constructor(kind: Kind, values: readonly ByteString[]) {
    this.kind = kind;
    this.values = values;
  }

  get items(): readonly Reply[] {
    this.#items ??= this.values.map(bulk);
    return this.#items;
  }
}

/**
 * Returns a reply of bulk strings.
 * @param values  many values are copied, because the reply may be written after they have changed
 */
export function bulksReply(kind: BulksKind, values: readonly ByteString[]): ValueReply {
  return values.length < MANY ? { kind, items: values.map(bulk) } : many(kind, values.slice());
}

function many(kind: BulksKind, values: readonly ByteString[]): ValueReply {
  switch (kind) {
    case "array":
      return new LazyBulkReply(kind, values);
    case "set":
      return new LazyBulkReply(kind, values);
    case "map":
      return new LazyBulkReply(kind, values);
  }
}
