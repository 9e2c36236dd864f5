/** What carrying out a statement needs besides the statement. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CommandFailure } from "../../arguments/errors.js";
import type { Data } from "../../engine/mutators.js";
import { type MessageName, sqlFailure } from "../../sql/messages.js";
import type { Language } from "../../sql/tree.js";

export interface Evaluation {
  readonly data: Data;
  /** The database's name; empty: none is chosen. */
  readonly database: ByteString;
  readonly language: Language;
  /** What stands for each `?`. */
  readonly parameters: readonly ByteString[];
  /** Of this unit; what has expired by then is not there. */
  readonly at: number;
}

export function failure(
  { language }: Pick<Evaluation, "language">,
  name: MessageName,
  ...about: readonly ByteString[]
): CommandFailure {
  return sqlFailure(language, name, ...about);
}
