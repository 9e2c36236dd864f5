/** The requests of memcached clients. */
import type { ByteString } from "../../../protocol/byte-string.js";

export type StoreVerb = "set" | "add" | "replace" | "cas" | "append" | "prepend";

export interface StoreRequest {
  readonly kind: "store";
  readonly verb: StoreVerb;
  readonly key: ByteString;
  /** The client's flags, 32 bits. */
  readonly flags: number;
  /** The expiry time as the client sends it: 0, a number of seconds from now, or a date. */
  readonly exptime: number;
  /** The number for `cas`, which `gets` returned; otherwise 0. */
  readonly unique: bigint;
  readonly data: ByteString;
  readonly isSilent: boolean;
  /** Only of `ms`. */
  readonly meta?: MetaForm;
}

export interface DeleteRequest {
  readonly kind: "delete";
  readonly key: ByteString;
  readonly isSilent: boolean;
  /** Only of `md`. */
  readonly meta?: MetaForm;
  /** The item's number, if only that item may be deleted; otherwise 0. */
  readonly unique: bigint;
}

export interface CountRequest {
  readonly kind: "count";
  readonly verb: "incr" | "decr";
  readonly key: ByteString;
  readonly by: bigint;
  readonly isSilent: boolean;
  /** Only of `ma`. */
  readonly meta?: MetaForm;
  /** The item's number, if only that item may be changed; otherwise 0. */
  readonly unique: bigint;
  /** The item's new exptime, or null to keep it. */
  readonly exptime: number | null;
  /** The item to store if there is none, or null. */
  readonly initial: { readonly value: bigint; readonly exptime: number } | null;
}

export type MemcachedRequest =
  | { readonly kind: "get"; readonly keys: readonly ByteString[]; readonly withUnique: boolean }
  /** `gat` and `gats`: reads items, and changes when they expire. */
  | {
      readonly kind: "get-and-touch";
      readonly exptime: number;
      readonly keys: readonly ByteString[];
      readonly withUnique: boolean;
    }
  | StoreRequest
  | DeleteRequest
  | CountRequest
  | {
      readonly kind: "touch";
      readonly key: ByteString;
      readonly exptime: number;
      readonly isSilent: boolean;
    }
  | { readonly kind: "flush"; readonly delay: number; readonly isSilent: boolean }
  | MetaGet
  /** A command for an item that is longer than the maximum; its data were skipped. */
  | {
      readonly kind: "too-large";
      readonly verb: StoreVerb;
      readonly key: ByteString;
      readonly isSilent: boolean;
    }
  | { readonly kind: "stats"; readonly about: ByteString }
  /** `cache_memlimit`: changes the memory limit of the server. */
  | { readonly kind: "memory-limit"; readonly mebibytes: number; readonly isSilent: boolean }
  | { readonly kind: "version" }
  | { readonly kind: "quit" }
  /** A line of HTTP: a web page has made a browser connect here, and its data must not be interpreted as requests. */
  | { readonly kind: "http" }
  /** An invalid request; the answer is the error. */
  | { readonly kind: "wrong"; readonly answer: string };

export interface MetaGet {
  readonly kind: "meta-get";
  readonly key: ByteString;
  /** The requested fields and the opaque word, in the order of the answer: `f`, `O123`. */
  readonly flags: readonly ByteString[];
  readonly withValue: boolean;
  /** Whether a missing item has no answer. */
  readonly isQuiet: boolean;
}

/** The request that a block of data belongs to. */
export interface Announced extends Omit<StoreRequest, "data"> {
  readonly bytes: number;
}
/** A refused storage command, whose data must be skipped. */
interface Refused {
  readonly kind: "refused";
  readonly bytes: number;
  readonly refusal: Wrong;
}
export type Line = Exclude<MemcachedRequest, StoreRequest> | Announced | Refused;
export type Wrong = Extract<MemcachedRequest, { readonly kind: "wrong" }>;

/** The form of the answer to a meta command. */
export interface MetaForm {
  /**
   * The words that follow the code: the key (`k…`, with `b` if it is base64), the opaque word (`O…`), and `c` for the
   * item's number.
   */
  readonly words: readonly ByteString[];
  readonly isQuiet: boolean;
  /** Whether the answer contains a number as a value. */
  readonly withValue: boolean;
}
