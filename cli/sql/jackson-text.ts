/** Writes JSON as the earlier SQL server's library does: objects on several lines, lists on one. Numbers are doubles, whole ones bigints. */
import { numberText } from "../../protocol/sql-numbers.js";

export type JacksonValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | readonly JacksonValue[]
  | { readonly [name: string]: JacksonValue };

/** @param depth  the number of objects around it */
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

/** Control characters by upper-case digits; an escaped backslash is none. */
const stringText = (text: string) =>
  JSON.stringify(text).replace(/\\\\|\\u[0-9a-f]{4}/g, (found) =>
    found.length === 2 ? found : `\\u${found.slice(2).toUpperCase()}`,
  );
