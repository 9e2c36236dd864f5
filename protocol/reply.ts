/**
 * Replies: the results of commands, which stores produce and listeners turn into bytes.
 * The kinds are those of RESP3; a format with fewer of them (RESP2, version 1) folds them down when writing.
 */
import type { ByteString } from "./byte-string.js";

export type Reply =
  | { readonly kind: "status"; readonly text: ByteString }
  | ErrorReply
  | { readonly kind: "integer"; readonly value: number | bigint }
  | { readonly kind: "bulk"; readonly bytes: ByteString }
  /** `text`: the written form, if it differs from the usual one (double.ts). */
  | { readonly kind: "double"; readonly value: number; readonly text?: string }
  | { readonly kind: "nil" }
  /** RESP2 distinguishes a missing array from a missing string; every other format does not. */
  | { readonly kind: "nil-array" }
  | { readonly kind: "array"; readonly items: readonly Reply[] }
  | { readonly kind: "set"; readonly items: readonly Reply[] }
  /**
   * `items` holds name, value, name, value, …: what RESP2 sends as a flat array, or as one of `inPairs`. `isRelation`: numbers among its
   * values have to be distinguishable from texts (version-2/result-reply.ts).
   */
  | {
      readonly kind: "map";
      readonly items: readonly Reply[];
      readonly inPairs?: true;
      readonly isRelation?: true;
    }
  /** `items` holds member, score, member, score, …: RESP3 has an array of two each for these, RESP2 a flat one. */
  | { readonly kind: "pairs"; readonly items: readonly Reply[] }
  /** A text for people; `format` is its three letters, `txt` or `mkd`. RESP2 has a bulk string for it. */
  | { readonly kind: "verbatim"; readonly format: ByteString; readonly bytes: ByteString }
  | Resp3Reply;

/** A reply of RESP3 alone (a boolean, an attribute, …), as its bytes; every other format writes `plain` instead. */
export interface Resp3Reply {
  readonly kind: "resp3";
  readonly written: ByteString;
  readonly plain: Reply;
}

/** `text` begins with the error's code: `ERR …`, `WRONGTYPE …`. */
export interface ErrorReply {
  readonly kind: "error";
  readonly text: ByteString;
  /** Elements that the answer to a MongoDB client has besides, as BSON; no other format sends them. */
  readonly details?: ByteString;
}

/** The replies of RESP2, which its reader returns. */
export type PlainReply =
  | Extract<Reply, { kind: "status" | "error" | "integer" | "bulk" | "nil" | "nil-array" }>
  | { readonly kind: "array"; readonly items: readonly PlainReply[] };

/** The same, but for errors. */
export type PlainValue = Exclude<PlainReply, ErrorReply>;

/** A reply that is a value, nil among them. */
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
/** A map that RESP2 sends as an array of arrays of name and value. */
export const mapInPairs = (items: readonly Reply[]): ValueReply => ({ kind: "map", items, inPairs: true });
/** Few bulk strings; of however many: many-bulks.ts. */
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
