/** The interface of what applies commands. A backend knows neither their sender nor the listener. */

import type { Service } from "../../net/process/service.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { RefusalCode } from "../answers/refusals.js";

/** The database did not reply. */
export interface BackendFailure {
  readonly kind: "failed";
  readonly code: Extract<RefusalCode, `database-${string}` | "not-carried">;
  readonly detail: string;
  /** Whether it is certain that nothing was or will be applied. */
  readonly effect: "not-applied" | "unknown";
}

export type Outcome = Reply | BackendFailure;

export interface Backend extends Service {
  /** Its name in the log; contains no password. */
  readonly name: string;
  /** Whether it can be reached now, for /healthz. */
  readonly up: boolean;
  /** The server's address, if the name does not contain it; "": not found yet. */
  readonly server?: string | undefined;
  /** The number of databases, which `Unit.db` selects from. */
  readonly databases: number;
  /** Milliseconds that a command may take; unused where the reply is immediate. */
  timeout: number;
  /**
   * Executes one command as if on a connection of its own.
   * @param argv  name first, never empty
   * @returns no promise where the backend can answer in this turn; a promise never rejects
   */
  execute(argv: readonly ByteString[], unit: Unit): Outcome | Promise<Outcome>;
  /**
   * Executes commands as one unit; if one is unknown or has a wrong number of arguments, none.
   * @returns an array of their replies, errors among them
   */
  executeTogether(commands: readonly (readonly ByteString[])[], unit: Unit): Outcome | Promise<Outcome>;
  /**
   * Returns whether each key was last changed by the unit that its condition names; missing: the backend does not know.
   */
  holds?(conditions: readonly Condition[], unit: Unit): boolean;
}
