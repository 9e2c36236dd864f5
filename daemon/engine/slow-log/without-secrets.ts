/** Removes passwords from commands that are logged or shown. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Command } from "../../store/rows/command-row.js";

const REDACTED = "(redacted)";

/** Returns a command without its passwords. */
export function withoutSecrets({ isSecret }: Command, argv: readonly ByteString[]): readonly ByteString[] {
  return isSecret === undefined ? argv : argv.map((word, i) => (isSecret(argv, i) ? REDACTED : word));
}
