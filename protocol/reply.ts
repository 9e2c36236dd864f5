/**
 * Replies: the results of commands, which stores produce and listeners convert to bytes.
 * The kinds are those of RESP3. A format with fewer kinds (RESP2, version 1) converts them when writing.
 */
import type { ByteString } from "./byte-string.js";

export type Reply =
  | { readonly kind: "status"; readonly text: ByteString }
  | ErrorReply
  | { readonly kind: "integer"; readonly value: number | bigint }
  | { readonly kind: "bulk"; readonly bytes: ByteString }
  /** `text`: the written form, if it differs from the usual one (double-text.ts). */
  | { readonly kind: "double"; readonly value: number; readonly text?: string }
  | { readonly kind: "nil" }
  /** RESP2 distinguishes a missing array from a missing string. All other formats do not. */
  | { readonly kind: "nil-array" }
  | { readonly kind: "array"; readonly items: readonly Reply[] }
  | { readonly kind: "set"; readonly items: readonly Reply[] }
  /**
   * `items` contains names and values, alternating. RESP2 sends it as a flat array or, with `inPairs`, as an array of
   * pairs. `isRelation`: numbers among its values must be distinguishable from texts (docs/protocol-v2.md "Units").
   */
  | {
      readonly kind: "map";
      readonly items: readonly Reply[];
      readonly inPairs?: true;
      readonly isRelation?: true;
    }
  /**
   * `items` contains members and scores, alternating. RESP3 sends an array of two for each pair, RESP2 a flat array.
   */
  | { readonly kind: "pairs"; readonly items: readonly Reply[] }
  /** A text for people. `format` is `txt` or `mkd`. RESP2 sends a bulk string. */
  | { readonly kind: "verbatim"; readonly format: ByteString; readonly bytes: ByteString }
  | Resp3Reply;

/**
 * A reply that only RESP3 has (such as a boolean or an attribute), as bytes. All other formats write `plain` instead.
 */
export interface Resp3Reply {
  readonly kind: "resp3";
  readonly written: ByteString;
  readonly plain: Reply;
}

/** An error. `text` begins with its code: `ERR …`, `WRONGTYPE …`. */
export interface ErrorReply {
  readonly kind: "error";
  readonly text: ByteString;
  /** Additional elements of the answer to a MongoDB client, as BSON. No other format sends them. */
  readonly details?: ByteString;
}

/** The replies of RESP2, which its reader returns. */
export type PlainReply =
  | Extract<Reply, { kind: "status" | "error" | "integer" | "bulk" | "nil" | "nil-array" }>
  | { readonly kind: "array"; readonly items: readonly PlainReply[] };

/** The replies of RESP2 except errors. */
export type PlainValue = Exclude<PlainReply, ErrorReply>;

/** A reply that is a value, including nil. */
export type ValueReply = Exclude<Reply, ErrorReply>;

export const OK: PlainValue = { kind: "status", text: "OK" };
export const NIL: PlainValue = { kind: "nil" };
export const NIL_ARRAY: PlainValue = { kind: "nil-array" };
export const EMPTY_ARRAY: ValueReply = { kind: "array", items: [] };
export const ZERO: PlainValue = { kind: "integer", value: 0 };
export const ONE: PlainValue = { kind: "integer", value: 1 };

export const status = (text: ByteString): PlainValue => ({ kind: "status", text });
export const error = (text: ByteString): ErrorReply => ({ kind: "error", text });
export const bulk = (bytes: ByteString): PlainValue => ({ kind: "bulk", bytes });
export const bulkOrNil = (bytes: ByteString | undefined): ValueReply =>
  bytes === undefined ? NIL : bulk(bytes);
export const double = (value: number): ValueReply => ({ kind: "double", value });
export const writtenDouble = (value: number, text: string): ValueReply => ({ kind: "double", value, text });
export const array = (items: readonly Reply[]): ValueReply => ({ kind: "array", items });
export const set = (items: readonly Reply[]): ValueReply => ({ kind: "set", items });
export const map = (items: readonly Reply[]): ValueReply => ({ kind: "map", items });
export const pairs = (items: readonly Reply[]): ValueReply => ({ kind: "pairs", items });
export const verbatim = (bytes: ByteString): ValueReply => ({ kind: "verbatim", format: "txt", bytes });
export const relation = (items: readonly Reply[]): ValueReply => ({ kind: "map", items, isRelation: true });
/** Returns a map that RESP2 sends as an array of name-value pairs. */
export const mapInPairs = (items: readonly Reply[]): ValueReply => ({ kind: "map", items, inPairs: true });
/** Returns an array of a few bulk strings. For many, see lazy-replies.ts. */
export const bulks = (items: readonly ByteString[]): ValueReply => ({
  kind: "array",
  items: items.map(bulk),
});

/** Returns names and values in turn: the items of a map. */
export const namesAndValues = (fields: Readonly<Record<string, Reply>>): Reply[] =>
  Object.entries(fields).flatMap(([name, value]) => [bulk(name), value]);

export function integer(value: number | bigint): PlainValue {
  return value === 0 ? ZERO : value === 1 ? ONE : { kind: "integer", value };
}
