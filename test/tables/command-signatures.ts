/**
 * The arguments and results of the commands that are methods of the client, `client.hset("user:7", "name", "Ada")`,
 * from the `method` of each row. A test compares the arguments with the arity, keys and summaries in the store's table,
 * and the results with those of random calls.
 */
import "../support/installed-families.js";
import { commands } from "../../daemon/store/command-table.js";

/** Short names for long types, which begin with `@` in a row. */
const RESULT_TYPES: Readonly<Record<string, string>> = {
  "@text?": "string | null",
  "@list": "string[]",
  "@list?": "(string | null)[]",
  "@integer": "number | bigint",
  "@integer?": "number | bigint | null",
  "@some": "string | string[] | null",
  "@scan": "[cursor: string, found: string[]]",
  "@reply": "ReplyValue",
};

export interface Signature {
  /** The name in upper case. */
  readonly name: string;
  /** The parameters in their written form, in order. */
  readonly parameters: readonly string[];
  /** The type of the result in TypeScript. */
  readonly result: string;
}

export const SIGNATURES: readonly Signature[] = commands.flatMap(({ name, method }) => {
  if (method === null) return [];
  const [parameters = "", result = ""] = method.split(": ");
  return [
    {
      name,
      parameters: parameters.split(" ").filter((one) => one !== ""),
      result: RESULT_TYPES[result] ?? result,
    },
  ];
});
