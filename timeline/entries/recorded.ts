/** Which envelopes the timeline keeps, told from their bytes. Source: docs/protocol-v2.md "What is recorded". */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { CommandFailure } from "../../store/arguments/errors.js";
import { commandTable } from "../../store/command-table.js";
import { isKeyCommand } from "../../store/key-ring.js";
import type { CommandIndex } from "../../store/rows/command-index.js";

/**
 * Whether an envelope may change data or keys: others are answered and forgotten.
 * @param table  what commands mean; default: by the newest that is known
 */
export function mayChange({ commands }: Pick<Envelope, "commands">, table = commandTable): boolean {
  return commands.some((argv) => changes(argv, table));
}

/** Whether it is for the key ring alone. Any KEY or CLUSTER command counts: with others it is denied as a whole. */
export function isRingEntry({ commands }: Pick<Envelope, "commands">): boolean {
  return commands.every(isKeyCommand);
}

/** Reads of the ring, and what is kept beside it; every other command for it is recorded. */
const NOT_RECORDED: ReadonlySet<string> = new Set(["CLUSTER|MEMBERS", "KEY|DRYRUN", "KEY|INFO", "KEY|LIST"]);

function changes(argv: readonly ByteString[], table: CommandIndex): boolean {
  if (!isKeyCommand(argv)) return table.mayWrite(argv) ?? false;
  const command = table.resolve(argv);
  return !(command instanceof CommandFailure) && !NOT_RECORDED.has(command.name);
}
