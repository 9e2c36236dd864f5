/** Reads constants of source files by their names, including those that are not exported. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

/** A number, a name, or an operator of a constant's value. */
const TOKEN = /\d[\w.]*|[A-Z]\w*|\*\*|[-+*/()]/g;

/**
 * Returns the value of a numeric constant.
 * @param file  the path of a source file without its ending, such as `protocol/members/member-list`
 * @throws Error if there is no such constant, or its value is not computed from numbers and constants of this file
 */
export function constant(file: string, name: string): number {
  const source = readFileSync(join(repositoryRoot, `${file}.ts`), "utf8");
  const [, expression] =
    new RegExp(`^(?:export )?const ${name}(?:: \\w+)? =\\s([^;]+);$`, "m").exec(source) ?? [];
  if (expression === undefined) throw new Error(`${file} has no constant ${name}`);
  const tokens = expression.match(TOKEN) ?? [];
  if (tokens.join("") !== expression.replace(/\s+/g, ""))
    throw new Error(`the value of ${name} in ${file} is not computed from numbers: ${expression}`);
  return sumOf(tokens, (other) => constant(file, other));
}

/** Returns the value of an expression, and removes its tokens. @param named  returns the value of a constant */
function sumOf(tokens: string[], named: (name: string) => number): number {
  let sum = productOf(tokens, named);
  while (tokens[0] === "+" || tokens[0] === "-") {
    const sign = tokens.shift() === "+" ? 1 : -1;
    sum += sign * productOf(tokens, named);
  }
  return sum;
}

function productOf(tokens: string[], named: (name: string) => number): number {
  let product = powerOf(tokens, named);
  while (tokens[0] === "*" || tokens[0] === "/") {
    const isProduct = tokens.shift() === "*";
    const factor = powerOf(tokens, named);
    product = isProduct ? product * factor : product / factor;
  }
  return product;
}

function powerOf(tokens: string[], named: (name: string) => number): number {
  const token = tokens.shift() ?? "";
  let base = /^[A-Z]/.test(token) ? named(token) : Number(token.replaceAll("_", ""));
  if (token === "(") {
    base = sumOf(tokens, named);
    tokens.shift();
  }
  if (tokens[0] !== "**") return base;
  tokens.shift();
  return base ** powerOf(tokens, named);
}
