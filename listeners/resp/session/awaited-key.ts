/** A key that clients wait for, and those clients. */

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

/** A waiting client, and whether its command is running now. */
export class Waiting {
  isUnderWay = false;
  /** The answer if its command finds nothing. */
  overdue: Reply | null = null;
  isAnswered = false;
  cancelTimer = NOTHING_TO_CANCEL;
  readonly waiter: Waiter;

  constructor(waiter: Waiter) {
    this.waiter = waiter;
  }
}

/** A key that clients wait for. */
export class AwaitedKey {
  /** The waiting clients, in the order in which they began. */
  readonly waiting: Waiting[] = [];
  /** Cancels the timer for the key's expiry, if a client waits for a group of it. */
  endWatch: (() => void) | null = null;
  readonly db: number;
  readonly key: ByteString;

  constructor(db: number, key: ByteString) {
    this.db = db;
    this.key = key;
  }
}
