/**
 * A function library, which consists of its code and of the metadata in its first line. Messages: redis-server 7.0,
 * functions.c.
 */

import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type LoadedFunction, WRONG_NAME } from "./function-loader.js";

/** The code of a library. */
export interface LibraryCode {
  readonly name: ByteString;
  readonly code: ByteString;
  /** The code to run, without the first line. */
  readonly body: ByteString;
}

export interface FunctionLibrary extends LibraryCode {
  readonly functions: ReadonlyMap<ByteString, Omit<LoadedFunction, "reference">>;
}

/** Parses a library's first line. @throws CommandFailure */
export function readLibrary(code: ByteString): LibraryCode {
  if (!code.startsWith("#!")) throw new CommandFailure("ERR Missing library metadata");
  const end = code.indexOf("\n");
  if (end < 0) throw new CommandFailure("ERR Invalid library metadata");
  const [engine = "", ...words] = code
    .slice(2, end)
    .split(" ")
    .filter((word) => word !== "");
  let name: ByteString | null = null;
  for (const word of words) {
    if (!/^name=/i.test(word)) throw new CommandFailure(`ERR Invalid metadata value given: ${word}`);
    if (name !== null)
      throw new CommandFailure("ERR Invalid metadata value, name argument was given multiple times");
    name = word.slice("name=".length);
  }
  if (name === null) throw new CommandFailure("ERR Library name was not given");
  if (!/^\w+$/.test(name)) throw new CommandFailure(`ERR ${WRONG_NAME}`);
  if (!/^lua$/i.test(engine)) throw new CommandFailure(`ERR Engine '${engine}' not found`);
  return { name, code, body: code.slice(end) };
}
