/**
 * Selects the calls on which the members of a list have to decide: units with conditions, and commands that write only if
 * a key is absent or present. Source: docs/consistency.md "Conditional writes".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { PendingCall } from "../calls/pending-call.js";
import type { CommandKind } from "../shared/commands.js";

/** The start of the commands with such a condition, as RESP; a SET with three arguments has none. */
const MAY_HAVE_CONDITION = /^\*\d+\r\n\$\d+\r\n(?:SETNX|HSETNX|MSETNX)\r\n|^\*(?!3\r)\d+\r\n\$3\r\nSET\r\n/i;

/**
 * Whether the members decide on a call, if they decide at all. A caller that names another policy than `majority` has
 * chosen what an answer means.
 */
export function requestsDecision({ settings, bytes }: PendingCall, commandKind: CommandKind): boolean {
  const { policy, envelope } = settings;
  if (commandKind !== "writes" || (policy !== "usual" && policy !== "majority") || envelope?.only)
    return false;
  if (envelope?.if != null) return true;
  return typeof bytes === "string" && MAY_HAVE_CONDITION.test(bytes) && hasCondition(bytes);
}

/** Whether a command that was found above has a condition, and answers only whether the condition holds. */
function hasCondition(bytes: ByteString): boolean {
  const [name = "", , , ...options] = argumentsIn(bytes).map((argument) => argument.toUpperCase());
  if (name !== "SET") return true;
  return options.includes("NX") !== options.includes("XX") && !options.includes("GET");
}

/** Returns the arguments of a command in RESP. */
function argumentsIn(bytes: ByteString): ByteString[] {
  const found: ByteString[] = [];
  for (let at = bytes.indexOf("$"); at !== -1 && at < bytes.length; ) {
    const start = bytes.indexOf("\n", at) + 1;
    const end = start + Number.parseInt(bytes.slice(at + 1, start), 10);
    found.push(bytes.slice(start, end));
    at = end + 2;
  }
  return found;
}
