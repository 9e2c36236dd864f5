/** Removes passwords from commands that are logged or shown. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Command } from "../../store/rows/command-row.js";

/** The names of settings that are secrets. */
const SECRET_SETTINGS: ReadonlySet<string> = new Set(["requirepass", "masterauth", "tls-key-file-pass"]);
const REDACTED = "(redacted)";

/** Returns a command without its passwords, which appear in logins, users' rules and some settings. */
export function withoutSecrets({ name }: Command, argv: readonly ByteString[]): readonly ByteString[] {
  switch (name) {
    case "AUTH":
      return argv.map((word, i) => (i === 0 ? word : REDACTED));
    case "ACL|SETUSER":
      return argv.map((word, i) => (i < 2 ? word : REDACTED));
    case "HELLO": {
      const at = argv.findIndex((word, i) => i > 1 && word.toUpperCase() === "AUTH");
      return at < 0 ? argv : argv.map((word, i) => (i === at + 1 || i === at + 2 ? REDACTED : word));
    }
    case "CONFIG|SET":
      return argv.map((word, i) =>
        i > 2 && i % 2 === 1 && SECRET_SETTINGS.has(argv[i - 1]?.toLowerCase() ?? "") ? REDACTED : word,
      );
    default:
      return argv;
  }
}
