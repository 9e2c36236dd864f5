/** Who wants to know of what is written, by whomsoever. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Command } from "../../store/rows/command.js";
import type { Called } from "./called.js";

export interface WriteObserver {
  /** A command that writes has been run, in this very turn. */
  written(command: Command, argv: readonly ByteString[], db: number, reply: Reply): void;
  /** Whether anybody wants to know of commands on their way. */
  readonly awaits: boolean;
  /** Commands are on their way to be recorded, as one or alone: `changed` will tell that they, or others, have been run. */
  sent(calls: readonly Called[], db: number): void;
  /** Something has changed, nobody knows which keys. */
  changed(): void;
}
