/** Arguments for random calls: keys for each type, a few words that many calls share, and edge cases of numbers. */
import type { ByteString } from "../../protocol/byte-string.js";

/** The keys that a command prefers: those that usually have values of one type, or, with `any`, keys of all types. */
export type KeyFamily = keyof typeof KEYS | "any";

export const KEYS = {
  string: ["s:1", "s:2", "s:3", "s:4", "s:5", "s:\xff\x00\r\n"],
  sketch: ["p:1", "p:2", "p:3", "p:4"],
  hash: ["h:1", "h:2", "h:3", "h:4", "h:5", "h[6]"],
  list: ["l:1", "l:2", "l:3", "l:4", "l:5", "l*6"],
  set: ["t:1", "t:2", "t:3", "t:4", "t:5", "t?6"],
  stream: ["m:1", "m:2", "m:3", "m:4", "m:\x00\xe9"],
  geo: ["g:1", "g:2", "g:3", "g:4"],
  document: ["d:1", "d:2", "d:3"],
  table: ["sql:d", "sql:d:t", "sql:d:u"],
  collection: ["mongo:b.c", "mongo:b.d"],
  zset: ["z:1", "z:2", "z:3", "z:4", "z:5", "z:\xc3\xa4"],
} as const satisfies Readonly<Record<string, readonly ByteString[]>>;
/** Keys of all types, including "". */
export const SHARED_KEYS: readonly ByteString[] = ["", "x:1", "x:2", "x 3"];
export const ALL_KEYS: readonly ByteString[] = [...Object.values(KEYS).flat(), ...SHARED_KEYS];

/** Fields, members and short values. */
export const WORDS: readonly ByteString[] = [
  ...["a", "b", "c", "d", "e", "aa", "ab", "B", "\xe4"],
  ...["\xc3\xa4", "a b", "0", "1", "2", "-1", "10", ""],
];
export const INTEGER_EDGES: readonly ByteString[] = [
  ...["0", "-1", "-0", "+1", "01", " 1", "1 ", "", "abc", "1.0", "1e3", "0x10", "\xff", "1\x00"],
  ...["2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296"],
  ...["9007199254740991", "9007199254740993", "-9007199254740993", "999999999999999999"],
  ...["9223372036854775806", "9223372036854775807", "9223372036854775808", "18446744073709551615"],
  ...["-9223372036854775807", "-9223372036854775808", "-9223372036854775809", "99999999999999999999999"],
];
/** Edge cases of times, without small positive numbers: a key with such a time would expire while the test runs. */
export const TIME_EDGES: readonly ByteString[] = INTEGER_EDGES.filter(
  (edge) => !["+1", "01", " 1", "1 "].includes(edge),
);
export const FLOAT_EDGES: readonly ByteString[] = [
  ...["inf", "-inf", "+inf", "Infinity", "nan", "-nan", "0", "-0", "0.0", "+1"],
  ...["1.", ".5", "-.5", "1e", "e1", "", " 1", "1 ", "1e5", "1E-5"],
  ...[
    "1e21",
    "1e17",
    "1e-7",
    "1e308",
    "1e309",
    "-1e309",
    "1e-400",
    "0x1p3",
    "0x10",
    "0x1234567890abcdef12",
    "abc",
  ],
  ...[
    "1,5",
    "\xff",
    "0.1",
    "0.2",
    "0.30000000000000004",
    "3.0",
    "5.0e3",
    "1234567890123456789",
    "9007199254740993",
    "0.000001",
  ],
];
export const PATTERNS: readonly ByteString[] = [
  ...["*", "?", "", "a*", "*a", "[a-c]*", "[^a]*", "[c-a]", "\\*"],
  ...["*b*", "s:*", "?:[1-3]", "h\\[6]", "l\\*6", "[a", "a\\", "\xe4", "*\xff*"],
  ...["**", "t\\?6", "[\\]a]*", "*[*", "[a-", "[]", "[^]"],
];
