/**
 * Commands that are not in the table, but that the daemon's Redis may know. The daemon does not know their keys and
 * categories, except that the commands listed here are administrative. Source: redis-server 7.0, COMMAND LIST FILTERBY
 * ACLCAT admin; and MIGRATE, which is not in that category, but makes Redis connect to any address that the command
 * names.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** The administrative commands without a row, and containers of which a newer Redis may have further subcommands. */
const ADMINISTERING: ReadonlySet<string> = new Set(
  "acl client cluster config latency migrate module slowlog".split(" "),
);

/** @param name the name in upper or lower case */
export function administers(name: ByteString): boolean {
  return ADMINISTERING.has(name.toLowerCase());
}
