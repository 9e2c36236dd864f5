/**
 * Handles scans through a sidecar. A cursor is valid only on the daemon that issued it, but the next page might come
 * from another daemon. Therefore each scan returns all elements in a single page, which one daemon creates at one
 * moment. Source: docs/sidecar.md "Guarantees".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { error } from "../../protocol/reply.js";

/** A COUNT that is greater than the number of elements on any daemon. */
const ALL = String(2 ** 31 - 1);
const BEGINS = /^[+-]?0*$/;
const CURSOR = /^[+-]?\d+$/;
const COUNT = /^0*[1-9]\d*$/;

export const FOREIGN_CURSOR = error(
  "ERR invalid cursor: a scan through dbsyncd -d dbsync returns everything in one page, so only the cursor 0 is valid here. Begin again with 0",
);

/** Returns whether a cursor is a number other than 0. This daemon returns only the cursor 0. */
export function isForeignCursor(cursor: ByteString | undefined): boolean {
  return cursor !== undefined && CURSOR.test(cursor) && !BEGINS.test(cursor);
}

/** Returns the scan as a single page, or `argv` itself if its options are wrong, which the daemons report. */
export function singlePageScan(argv: readonly ByteString[], cursor: number): readonly ByteString[] {
  const options = argv.slice(cursor + 1);
  // In a transaction, replace such a cursor by an invalid one, so that the daemons refuse the command.
  if (isForeignCursor(argv[cursor])) return [...argv.slice(0, cursor), "foreign", ...options];
  if (argv.length <= cursor || options.length % 2 !== 0) return argv;
  const otherOptions: ByteString[] = [];
  for (let at = 0; at < options.length; at += 2) {
    const [name, value] = [options[at] as ByteString, options[at + 1] as ByteString];
    if (name.toUpperCase() !== "COUNT") otherOptions.push(name, value);
    else if (!COUNT.test(value)) return argv;
  }
  return [...argv.slice(0, cursor + 1), ...otherOptions, "COUNT", ALL];
}
