import type { ByteString } from "../../../protocol/byte-string.js";
import type { Command } from "../../store/rows/command-row.js";

/** A command whose name and number of arguments were checked. */
export interface CheckedCommand {
  readonly command: Command;
  readonly argv: readonly ByteString[];
}
