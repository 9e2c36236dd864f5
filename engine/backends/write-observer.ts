/** An observer of all writes, regardless of their sender. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Command } from "../../store/rows/command.js";
import type { CheckedCommand } from "./checked-command.js";

export interface WriteObserver {
  /** Called after a command that writes was run, in the same turn. */
  written(command: Command, argv: readonly ByteString[], db: number, reply: Reply): void;
  /** Whether the observer also needs commands that are still being recorded. */
  readonly awaits: boolean;
  /**
   * Called when commands are being recorded, together as one unit or each as its own unit. `changed` follows once they
   * were applied.
   */
  sent(calls: readonly CheckedCommand[], db: number): void;
  /** Called when data has changed but the keys are unknown. */
  changed(): void;
}
