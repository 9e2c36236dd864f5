/**
 * Rewrites commands whose effect depends on a choice at run time, such as SPOP. The rewritten command contains that
 * choice. Its unit therefore has the same effect on every daemon, whenever it is folded.
 */

import type { CheckedCommand } from "../../engine/backends/checked-command.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { findCommand } from "../../store/command-table.js";
import type { Command } from "../../store/rows/command-row.js";

const REMOVE = findCommand("SREM") as Command;
/** The options of DOC.INSERT, which precede the documents, each with its number of arguments. */
const INSERT_OPTIONS: Readonly<Record<string, number>> = {
  EX: 2,
  PX: 2,
  EXAT: 2,
  PXAT: 2,
  PERSIST: 1,
  NOCHECK: 1,
};

/** @returns null if the command already has the same effect everywhere */
export function deterministicCommands(
  command: Command,
  argv: readonly ByteString[],
  reply: Reply,
): CheckedCommand | null {
  switch (command.name) {
    case "SPOP":
      return { command: REMOVE, argv: ["SREM", argv[1] as ByteString, ...membersOf(reply)] };
    case "XADD":
      return reply.kind === "bulk" ? { command, argv: withId(argv, reply.bytes) } : null;
    case "DOC.INSERT":
      return withKeys(command, argv, membersOf(reply));
    default:
      return null;
  }
}

function membersOf(reply: Reply): ByteString[] {
  const items = "items" in reply ? reply.items : [reply];
  return items.flatMap((item) => (item.kind === "bulk" ? [item.bytes] : []));
}

/**
 * Replaces the id in XADD with the chosen id, and appends `+` if the client sent `*`. With `+`, if the stream's last id
 * is not lower when the unit is folded, the new entry receives the id after that last id.
 */
function withId(argv: readonly ByteString[], id: ByteString): readonly ByteString[] {
  const at = indexOfId(argv);
  return argv.with(at, argv[at] === "*" ? `${id}+` : id);
}

/**
 * Adds the generated keys of the documents to DOC.INSERT, because the recorded unit would generate different keys.
 * @returns null if the command already contains keys, or their number does not match
 */
function withKeys(
  command: Command,
  argv: readonly ByteString[],
  keys: readonly ByteString[],
): CheckedCommand | null {
  let at = 2;
  while (at < argv.length) {
    const count = INSERT_OPTIONS[(argv[at] as ByteString).toUpperCase()];
    if (count === undefined) break;
    at += count;
  }
  if (argv.length - at !== keys.length) return null;
  const entries = argv.slice(at).flatMap((entry, index) => [keys[index] as ByteString, entry]);
  return { command, argv: [...argv.slice(0, at), "KEYS", ...entries] };
}

/** Returns the index of XADD's id, which follows the options. */
function indexOfId(argv: readonly ByteString[]): number {
  let at = 2;
  for (;;) {
    const option = (argv[at] as ByteString).toUpperCase();
    if (option === "NOMKSTREAM") at++;
    else if (option === "LIMIT") at += 2;
    else if (option === "MAXLEN" || option === "MINID")
      at += /^[=~]$/.test(argv[at + 1] as ByteString) ? 3 : 2;
    else return at;
  }
}
