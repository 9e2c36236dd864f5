/** The types of the results of `call` and `multi`. */
import type { DbsyncError } from "./errors.js";

/**
 * A typed reply. Strings are text, decoded as UTF-8, or Buffers if the caller requested them; statuses (`OK`) are
 * always text. Numbers are integers; a bigint is an integer that a number cannot represent. nil is null. In the list
 * that `multi` returns, the element of a failed command is its error.
 */
export type ReplyValue = string | number | bigint | null | Buffer | DbsyncError | ReplyValue[];

/**
 * The form of a result: `text` is text as in version 1, `value` and `buffers` are typed values, `reply` is the
 * unchanged reply, and `outcomes` are the outcomes of all daemons, which other code collects.
 */
export type ResultShape = "text" | "value" | "buffers" | "reply" | "outcomes";

/** The handlers of a result, and its form. Exactly one of the two handlers is called, once. */
export interface Waiter {
  readonly shape: ResultShape;
  /**
   * Handles the result.
   * @param result  from `resultOf`; for the shape `outcomes` an object that contains the outcomes
   */
  resolve(result: unknown): void;
  reject(error: DbsyncError): void;
}
