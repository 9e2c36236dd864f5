/** A key that clients wait for, and those that do. */

import type { CommandSender } from "../../../engine/users/command-path.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Command } from "../../../store/rows/command.js";
import type { WaitShape } from "./wait-shapes.js";

const NOTHING_TO_CANCEL = (): void => {};

export interface Waiter {
  readonly command: Command;
  readonly shape: WaitShape;
  readonly sender: CommandSender;
  readonly db: number;
  readonly resolve: (reply: Reply) => void;
}

/** One that waits, and whether its command is on its way now. */
export class Waiting {
  isUnderWay = false;
  /** What it is answered if its command brings nothing. */
  overdue: Reply | null = null;
  isAnswered = false;
  cancelTimer = NOTHING_TO_CANCEL;
  readonly waiter: Waiter;

  constructor(waiter: Waiter) {
    this.waiter = waiter;
  }
}

/** A key that is waited for. */
export class AwaitedKey {
  /** In the order in which they came. */
  readonly waiting: Waiting[] = [];
  /** Ends the watch over the end of the key's time, if somebody waits for a group of it. */
  endWatch: (() => void) | null = null;
  readonly db: number;
  readonly key: ByteString;

  constructor(db: number, key: ByteString) {
    this.db = db;
    this.key = key;
  }
}
