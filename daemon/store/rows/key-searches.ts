/**
 * How COMMAND describes where a command's keys are, in Redis's words. Rows name a search if it does not follow from
 * the ranges of `keys`.
 */

/** How to find the keys in the arguments, starting at an index. */
export type FoundKeys =
  | {
      readonly type: "range";
      /** The last key, relative to the first one; if negative, relative to the end. */
      readonly lastkey: number;
      readonly keystep: number;
      /**
       * Number of parts into which the arguments are divided, of which the first contains the keys; 0 means no
       * division.
       */
      readonly limit: number;
    }
  | {
      readonly type: "keynum";
      readonly keynumidx: number;
      readonly firstkey: number;
      readonly keystep: number;
    }
  | { readonly type: "unknown" };

/** How to find the index of the first key. */
export type KeysBegin =
  | { readonly type: "index"; readonly index: number }
  | { readonly type: "keyword"; readonly keyword: string; readonly startfrom: number }
  | { readonly type: "unknown" };

export type KeySearch = readonly [KeysBegin, FoundKeys];

export const at = (index: number): KeysBegin => ({ type: "index", index });
const afterKeyword = (keyword: string, startfrom: number): KeysBegin => ({
  type: "keyword",
  keyword,
  startfrom,
});
export const range = (lastkey: number, keystep = 1, limit = 0): FoundKeys => ({
  type: "range",
  lastkey,
  keystep,
  limit,
});
const NUMBERED: FoundKeys = { type: "keynum", keynumidx: 0, firstkey: 1, keystep: 1 };
const UNKNOWN: KeySearch = [{ type: "unknown" }, { type: "unknown" }];
const FIRST: KeySearch = [at(1), range(0)];

/** One key, the first argument. */
export const ONE_KEY_SEARCH: readonly KeySearch[] = [FIRST];
export const TWO_KEYS_SEARCH: readonly KeySearch[] = [FIRST, [at(2), range(0)]];
/** The first argument is the number of keys. */
export const COUNTED_KEYS_SEARCH: readonly KeySearch[] = [[at(1), NUMBERED]];
/** The second argument is the number of keys. */
export const COUNTED_SECOND_SEARCH: readonly KeySearch[] = [[at(2), NUMBERED]];
/** The first argument is a key, the second the number of further keys. */
export const STORED_AND_COUNTED_SEARCH: readonly KeySearch[] = [FIRST, [at(2), NUMBERED]];
/** The keys of BY and GET are patterns, so they cannot be found. */
export const SORT_READING_SEARCH: readonly KeySearch[] = [FIRST, UNKNOWN];
/** The key of STORE may follow several words. */
export const SORT_SEARCH: readonly KeySearch[] = [FIRST, UNKNOWN, UNKNOWN];

/** @param startfrom the first index at which the keyword may be */
export const streamsSearch = (startfrom: number): readonly KeySearch[] => [
  [afterKeyword("STREAMS", startfrom), range(-1, 1, 2)],
];

/** @param startfrom the first index at which the keywords may be */
export const storeSearch = (startfrom: number): readonly KeySearch[] => [
  FIRST,
  [afterKeyword("STORE", startfrom), range(0)],
  [afterKeyword("STOREDIST", startfrom), range(0)],
];
