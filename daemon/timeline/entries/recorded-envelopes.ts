/** Selects the envelopes that the timeline stores, by their bytes. Source: docs/protocol-v2.md "What is recorded". */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import { isKeyCommand } from "../../store/key-ring.js";
import type { CommandIndex } from "../../store/rows/command-index.js";

/**
 * Whether an envelope may change data or keys. Other envelopes are answered and not stored.
 * @param table  the meaning of commands; defaults to the newest version that is known
 */
export function mayChange({ commands }: Pick<Envelope, "commands">, table = commandTable): boolean {
  for (const argv of commands) if (changes(argv, table)) return true;
  return false;
}

/**
 * Whether all commands of an envelope are KEY or CLUSTER commands, so that the envelope is for the key ring alone. In
 * an envelope with other commands, such a command is denied.
 */
export function isRingEntry({ commands }: Pick<Envelope, "commands">): boolean {
  return commands.every(isKeyCommand);
}

/** Whether some of the entries are not for the key ring alone. */
export const containsData = (entries: readonly { readonly envelope: Envelope }[]): boolean =>
  entries.some(({ envelope }) => !isRingEntry(envelope));

function changes(argv: readonly ByteString[], table: CommandIndex): boolean {
  if (!isKeyCommand(argv)) return table.mayWrite(argv) ?? false;
  const command = table.resolve(argv);
  return !(command instanceof CommandFailure) && command.isRecorded;
}
