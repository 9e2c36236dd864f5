/** The table of all operators of expressions. */
import type { ByteString } from "../../../../../protocol/byte-string.js";
import type { Operator } from "../expressions.js";
import { arithmetic } from "./arithmetic.js";
import { arrays } from "./arrays.js";
import { conditionals } from "./conditionals.js";
import { conversions } from "./conversions.js";
import { dates } from "./dates.js";
import { objects } from "./objects.js";
import { strings } from "./strings.js";

export const EXPRESSION_OPERATORS: ReadonlyMap<ByteString, Operator> = new Map(
  [arithmetic, arrays, conditionals, conversions, dates, objects, strings].flatMap((family) =>
    Object.entries(family).map(([name, operator]) => [`$${name}`, operator] as const),
  ),
);
