/**
 * The commands that CLIENT PAUSE WRITE delays. Source: redis-server 7.0, CMD_MAY_REPLICATE and
 * scriptFlagsToCmdFlags.
 */
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { readScript } from "../scripts/script.js";
import type { Scripts } from "../scripts/scripts.js";

/** Commands that do not write to databases, but that Redis sends to replicas as well, or that write its functions. */
const ALSO_DELAYED: ReadonlySet<string> = new Set([
  ..."PFCOUNT PUBLISH SPUBLISH".split(" "),
  ...["DELETE", "FLUSH", "LOAD", "RESTORE"].map((name) => `FUNCTION|${name}`),
]);

/** Whether a call may write, so that CLIENT PAUSE WRITE delays it. A script may unless its flags exclude it. */
export function mayWrite(
  { scripts }: { readonly scripts: Scripts },
  { name, writes }: Command,
  argv: readonly ByteString[],
): boolean {
  const subject = argv[1] as ByteString;
  if (name === "EVAL") return !writesNothing(subject);
  if (name === "EVALSHA") return scripts.find(subject)?.writesNothing !== true;
  if (name === "FCALL") return !functionFlags(scripts, subject).includes("no-writes");
  return writes || ALSO_DELAYED.has(name);
}

function writesNothing(text: ByteString): boolean {
  try {
    return text.startsWith("#!") && readScript(text).writesNothing;
  } catch (failure) {
    // The first line is malformed, so the script is refused when it runs.
    if (failure instanceof CommandFailure) return false;
    throw failure;
  }
}

function functionFlags({ functions }: Scripts, name: ByteString): readonly ByteString[] {
  const found = functions.find(name);
  return found?.library.functions.get(found.name)?.flags ?? [];
}
