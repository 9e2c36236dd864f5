/** What clients make of their connections by AUTH, HELLO and SELECT: those who make the same of them may share one to the server. */
import type { ByteString } from "../../../protocol/byte-string.js";

export type Argv = readonly ByteString[];

/** The commands that make it so, in the order in which they are sent to a new connection. */
export type ConnectionState = readonly Argv[];

export const NEW_STATE: ConnectionState = [];

const ORDER = ["AUTH", "HELLO", "SELECT"];
const nameOf = ([name = ""]: Argv): string => name.toUpperCase();

/** What a connection is when this has been answered without an error; null: it is no such command. */
export function stateAfter(state: ConnectionState, argv: Argv): ConnectionState | null {
  const name = nameOf(argv);
  if (!ORDER.includes(name) || argv.length < 2) return null;
  // HELLO may log in as well.
  const replaced = name === "HELLO" && argv.length > 2 ? ["HELLO", "AUTH"] : [name];
  const others = state.filter((other) => !replaced.includes(nameOf(other)));
  return [...others, argv].sort((one, other) => ORDER.indexOf(nameOf(one)) - ORDER.indexOf(nameOf(other)));
}

/** Without the database, which is nothing to who listens for changed keys. */
export const withoutDatabase = (state: ConnectionState): ConnectionState =>
  state.filter((argv) => nameOf(argv) !== "SELECT");

export const keyOf = (state: ConnectionState): ByteString => JSON.stringify(state);
