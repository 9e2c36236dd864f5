/** An observer of all writes, whatever their sender. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Command } from "../../store/rows/command.js";
import type { Called } from "./called.js";

export interface WriteObserver {
  /** A command that writes was run, in this turn. */
  written(command: Command, argv: readonly ByteString[], db: number, reply: Reply): void;
  /** Whether it observes commands that are being recorded. */
  readonly awaits: boolean;
  /** Commands are being recorded, as one unit or each alone: `changed` follows when commands were applied. */
  sent(calls: readonly Called[], db: number): void;
  /** Data has changed; which keys is unknown. */
  changed(): void;
}
