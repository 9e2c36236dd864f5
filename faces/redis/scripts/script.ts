/** A script: its text, its SHA-1, and the flags in its first line. Source: redis-server 7.0, eval.c. */
import { createHash } from "node:crypto";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../protocol/byte-string.js";

export interface Script {
  /** The SHA-1 in hexadecimal, in lower case. */
  readonly sha: string;
  /** The code to run, without a first line that contains flags. */
  readonly body: ByteString;
  /** Whether the script's flags declare that it does not write. */
  readonly writesNothing: boolean;
  /**
   * Whether the script's flags allow it to run while memory is full. Null if the script has no flags; in that case its
   * first write is checked.
   */
  readonly allowsFull: boolean | null;
}

/** The flags of scripts and functions. */
export const SCRIPT_FLAGS: ReadonlySet<string> = new Set([
  "no-writes",
  "allow-oom",
  "allow-stale",
  "no-cluster",
  "allow-cross-slot-keys",
]);

/** Parses a script's first line. @throws CommandFailure  it is malformed */
export function readScript(text: ByteString): Script {
  const sha = createHash("sha1").update(text, "latin1").digest("hex");
  if (!text.startsWith("#!")) return { sha, body: text, writesNothing: false, allowsFull: null };

  const end = text.indexOf("\n");
  if (end < 0) throw new CommandFailure("ERR Invalid script shebang");

  const [engine = "", ...words] = text.slice(0, end).split(" ");
  if (engine !== "#!lua") throw new CommandFailure(`ERR Unexpected engine in script shebang: ${engine}`);

  const flags = words.flatMap(flagsOf);
  return {
    sha,
    body: text.slice(end),
    writesNothing: flags.includes("no-writes"),
    // A script that does not write needs no memory.
    allowsFull: flags.includes("allow-oom") || flags.includes("no-writes"),
  };
}

function flagsOf(word: ByteString): ByteString[] {
  if (word === "") return [];
  if (!word.startsWith("flags=")) throw new CommandFailure(`ERR Unknown lua shebang option: ${word}`);
  const flags = word
    .slice("flags=".length)
    .split(",")
    .filter((flag) => flag !== "");
  for (const flag of flags)
    if (!SCRIPT_FLAGS.has(flag)) throw new CommandFailure(`ERR Unexpected flag in script shebang: ${flag}`);
  return flags;
}
