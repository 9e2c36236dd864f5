/** Formats JSON like the library of the earlier SQL server (Jackson): objects on several lines, lists on one line. */

import { numberText } from "../../../faces/sql/bytes/sql-numbers.js";

export type JacksonValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | readonly JacksonValue[]
  | { readonly [name: string]: JacksonValue };

/** Formats a value; numbers are doubles, and bigints are integers. @param depth  the number of enclosing objects */
export function jacksonText(value: JacksonValue, depth = 0): string {
  switch (typeof value) {
    case "string":
      return stringText(value);
    case "number":
      return numberText(value);
    case "object":
      break;
    default:
      return String(value);
  }
  if (value === null) return "null";
  if (isList(value)) {
    if (value.length === 0) return "[ ]";
    return `[ ${value.map((item) => jacksonText(item, depth)).join(", ")} ]`;
  }
  const fields = Object.entries(value);
  if (fields.length === 0) return "{ }";
  const indent = "  ".repeat(depth);
  const lines = fields.map(
    ([name, field]) => `${indent}  ${stringText(name)} : ${jacksonText(field, depth + 1)}`,
  );
  return `{\n${lines.join(",\n")}\n${indent}}`;
}

const isList = (value: object): value is readonly JacksonValue[] => Array.isArray(value);

/** Formats a string, with upper-case digits in escaped control characters. The pattern skips escaped backslashes. */
const stringText = (text: string) =>
  JSON.stringify(text).replace(/\\\\|\\u[0-9a-f]{4}/g, (found) =>
    found.length === 2 ? found : `\\u${found.slice(2).toUpperCase()}`,
  );
