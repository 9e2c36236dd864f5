/** Recognizes the commands for the key ring by their names alone. */
import type { ByteString } from "../../protocol/byte-string.js";

const LOWER_CASE = 0x20;
const SMALL_C = 0x63;
const SMALL_K = 0x6b;
const CLUSTER_LENGTH = 7;

/** Whether a command authorizes a daemon's key. */
export const isAuthorization = ([name = "", subcommand = ""]: readonly ByteString[]): boolean =>
  name.toUpperCase() === "CLUSTER" && subcommand.toUpperCase() === "ADD";

/**
 * Returns the subcommand of a command that changes the patterns of decided keys; null: it is another command. Any other
 * command than CLUSTER costs only a look at its name.
 */
export function patternWordOf(argv: readonly ByteString[]): "DECIDE" | "DECIDED" | "UNDECIDE" | null {
  const [name = "", subcommand = ""] = argv;
  if (name.length !== CLUSTER_LENGTH || !isKeyCommand(argv)) return null;
  const word = subcommand.toUpperCase();
  return word === "DECIDE" || word === "DECIDED" || word === "UNDECIDE" ? word : null;
}

/** Whether a command changes the patterns of decided keys. */
export const isPatternCommand = (argv: readonly ByteString[]): boolean => patternWordOf(argv) !== null;

/** Whether a command is for the key ring, not for a database: KEY or CLUSTER with any subcommand. */
export function isKeyCommand(argv: readonly ByteString[]): boolean {
  const name = argv[0] as ByteString;
  // This function is called for every command: the check excludes SET and GET without converting their names.
  const first = name.charCodeAt(0) | LOWER_CASE;
  if (name.length === 3) return first === SMALL_K && name.toUpperCase() === "KEY";
  return name.length === CLUSTER_LENGTH && first === SMALL_C && name.toUpperCase() === "CLUSTER";
}
