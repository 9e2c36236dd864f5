/** A call in a batch. It is one small object, because there may be hundreds of thousands of them per second. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { CallSettings } from "../settings/call-options.js";
import type { CommandInput } from "../shared/command-input.js";
import type { ResultShape, Waiter } from "../shared/reply-value.js";

/** The handlers of a forwarded command. Exactly one of the two is called, once. */
export interface ReplyHandlers {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (problem: Error) => void;
}

/** The fields of a new call. `now` is the time of the call. */
export interface CallParts {
  readonly shape: ResultShape;
  readonly inputs: readonly CommandInput[] | CommandInput;
  readonly bytes: ByteString | readonly ByteString[];
  readonly settings: CallSettings;
  readonly now: number;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

export class PendingCall implements Waiter {
  readonly shape: ResultShape;
  /**
   * The command as the caller passed it; several for `multi`. The client builds version 1 commands from it.
   */
  readonly inputs: readonly CommandInput[] | CommandInput;
  /** The command encoded as RESP; a list for `multi`. */
  readonly bytes: ByteString | readonly ByteString[];
  /** The total length of `bytes`. */
  readonly size: number;
  readonly settings: CallSettings;
  readonly startedAt: number;
  readonly deadline: number;
  isSettled = false;
  /** The time at which the call settles with the answers received so far; set once a nil or an error has arrived. */
  lingerUntil = Number.POSITIVE_INFINITY;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;

  constructor(parts: CallParts) {
    this.shape = parts.shape;
    this.inputs = parts.inputs;
    this.bytes = parts.bytes;
    this.size = sizeOf(parts.bytes);
    this.settings = parts.settings;
    this.startedAt = parts.now;
    this.deadline = parts.now + parts.settings.timeout;
    this.resolve = parts.resolve as (result: unknown) => void;
    this.reject = parts.reject;
  }
}

/** Returns the total length of commands. */
export function sizeOf(bytes: ByteString | readonly ByteString[]): number {
  if (typeof bytes === "string") return bytes.length;
  let size = 0;
  for (const { length } of bytes) size += length;
  return size;
}
