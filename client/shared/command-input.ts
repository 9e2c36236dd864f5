/** The types of commands as callers write them. */

/** An argument. Text is sent as UTF-8, a number or a bigint as decimal digits, bytes unchanged. */
export type Argument = string | number | bigint | Uint8Array;

/**
 * A line, which is split at spaces without quoting, as in version 1; or a list of the name and the arguments, which may
 * contain any bytes.
 */
export type CommandInput = string | readonly Argument[];
