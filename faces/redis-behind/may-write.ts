/**
 * Selects the commands that a Redis's replicas must confirm (--wait-replicas): all commands that are not known to be
 * read-only.
 */

import { commands } from "../../daemon/store/command-table.js";
import type { ByteString } from "../../protocol/byte-string.js";

const READS: ReadonlySet<string> = new Set(commands.filter(({ reads }) => reads).map(({ name }) => name));

export function mayWrite([name = "", subcommand = ""]: readonly ByteString[]): boolean {
  const upper = name.toUpperCase();
  return !READS.has(upper) && !READS.has(`${upper}|${subcommand.toUpperCase()}`);
}
