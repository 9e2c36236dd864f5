/**
 * The highest date among the writes that this daemon has applied. Each result contains that date, and clients date
 * their next envelope after it. Source: docs/protocol-v2.md "Clocks".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../../protocol/version-2/messages-v2.js";
import { commandTable, findCommand } from "../../store/command-table.js";

export class NewestDate implements EnvelopeDate {
  /** Milliseconds since 1970, or 0 if no write was applied yet. */
  at = 0;
  seq = 0;

  /** Raises the date and its number to the given ones, unless they are already higher. */
  raise(at: number, seq: number): void {
    if (at < this.at || (at === this.at && seq <= this.seq)) return;
    this.at = at;
    this.seq = seq;
  }

  /**
   * Records the date of an envelope that is being applied. Does nothing for an envelope that only reads, because later
   * envelopes need not be dated after a read.
   */
  note({ at, seq, commands }: Envelope): void {
    if (at < this.at || (at === this.at && seq <= this.seq)) return;
    if (!commands.some(writes)) return;
    this.at = at;
    this.seq = seq;
  }
}

/**
 * Returns whether a command may write. A command that is not in the table may write to a Redis, or to the key ring
 * (KEY).
 */
function writes(argv: readonly ByteString[]): boolean {
  return commandTable.mayWrite(argv) === true || findCommand(argv[0] ?? "") === undefined;
}
