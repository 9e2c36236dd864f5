/** A script as it is kept: its text, what it is known by, and what its first line says of it. Source: redis-server 7.0, eval.c. */
import { createHash } from "node:crypto";
import type { ByteString } from "../../protocol/byte-string.js";
import { CommandFailure } from "../../store/arguments/errors.js";

export interface Script {
  /** SHA-1, hexadecimal, in lower case. */
  readonly sha: string;
  /** What is run: without the first line, if that says something. */
  readonly body: ByteString;
  /** Whether it says that it writes nothing. */
  readonly writesNothing: boolean;
  /** Whether it says that it may run while memory is full; null: it says nothing, and its first write is looked at. */
  readonly allowsFull: boolean | null;
}

const FLAGS: ReadonlySet<string> = new Set([
  "no-writes",
  "allow-oom",
  "allow-stale",
  "no-cluster",
  "allow-cross-slot-keys",
]);

/** @throws CommandFailure  its first line is not understood */
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
    // Who writes nothing needs nothing.
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
    if (!FLAGS.has(flag)) throw new CommandFailure(`ERR Unexpected flag in script shebang: ${flag}`);
  return flags;
}
