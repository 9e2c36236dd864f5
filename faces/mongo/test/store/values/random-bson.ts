/** Random values of all BSON types, including limits. */

import type { SeededRandom } from "../../../../../test/support/seeded-random.js";
import {
  Binary,
  type Bson,
  BsonDate,
  type BsonDocument,
  Int32,
  MAX_KEY,
  MIN_KEY,
  ObjectId,
  Regex,
  Timestamp,
} from "../../../store/values/bson.js";
import { type Decimal, decimalOfText } from "../../../store/values/decimal.js";

const DOUBLES = [0, -0, 1, 1.5, 0.1, -3, 5e-324, 1.7976931348623157e308, 2 ** 53, Number.NaN, -1 / 0, 1 / 0];
const LONGS = [0n, 1n, 3n, -1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
const DECIMALS = [
  ...["0", "-0", "1", "1.0", "1.50", "0.1", "-3", "9007199254740993", "1E+6111", "1E-6176", "NaN"],
  ...[
    "Infinity",
    "-Infinity",
    "9.999999999999999999999999999999999E+6144",
    "0E+10",
    "0.000001",
    "1E-7",
    "5e-324",
  ],
];

export const decimal = (text: string): Decimal => decimalOfText(text) as Decimal;

export function randomBson(random: SeededRandom, depth = 0): Bson {
  const kinds = depth < 4 ? 18 : 16;
  switch (random.below(kinds)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
    case 3:
      return random.oneOf(DOUBLES);
    case 4:
    case 5:
      return new Int32(random.oneOf([0, 1, 3, -1, 2147483647, -2147483648]));
    case 6:
      return random.oneOf(LONGS);
    case 7:
      return decimal(random.oneOf(DECIMALS));
    case 8:
    case 9:
      return random.oneOf(["", "a", "ab", "\xc3\xa9", "a\0b", "x".repeat(40)]);
    case 10:
      return new ObjectId(`\0\0\0\0\0\0\0\0\0\0\0${random.oneOf(["\x01", "\xff"])}`);
    case 11:
      return new BsonDate(random.oneOf([0n, 1n, -1n, 1_700_000_000_000n, -(2n ** 52n)]));
    case 12:
      return new Timestamp(BigInt.asUintN(64, random.oneOf(LONGS)));
    case 13:
      return new Binary(random.oneOf([0, 4, 128]), random.oneOf(["", "abc", "\xff\0\x80"]));
    case 14:
      return new Regex(random.oneOf(["a", "^b$", ""]), random.oneOf(["", "i", "im"]));
    case 15:
      return random.chance(0.5) ? MIN_KEY : MAX_KEY;
    case 16:
      return Array.from({ length: random.below(4) }, () => randomBson(random, depth + 1));
    default:
      return randomDocument(random, depth + 1);
  }
}

export function randomDocument(random: SeededRandom, depth = 0): BsonDocument {
  const names = random.shuffled(["a", "b", "", "\xc3\xa9", "__proto__", "c.d"]).slice(0, random.below(6));
  return new Map(names.map((name) => [name, randomBson(random, depth)]));
}
