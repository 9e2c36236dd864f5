/** An observer of all writes, regardless of their sender. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Command } from "../../store/rows/command-row.js";
import type { CheckedCommand } from "./checked-command.js";

export interface WriteObserver {
  /** Called after a write command was run, in the same turn. */
  written(command: Command, argv: readonly ByteString[], db: number, reply: Reply): void;
  /** Whether `sent` has to be called for commands that are being recorded. */
  readonly awaits: boolean;
  /**
   * Called when commands are sent to be recorded, as one unit or as separate units. `changed` is called once they are
   * applied.
   */
  sent(calls: readonly CheckedCommand[], db: number): void;
  /** Called when data has changed but the keys are unknown. */
  changed(): void;
}
