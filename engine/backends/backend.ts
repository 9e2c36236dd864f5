/** What applies commands. A backend knows nothing of who sent them, nor through which listener. */

import type { Service } from "../../net/process/service.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { RefusalCode } from "../answers/refusals.js";

/** No reply came from the database. */
export interface BackendFailure {
  readonly kind: "failed";
  readonly code: Extract<RefusalCode, `database-${string}` | "not-carried">;
  readonly detail: string;
  /** Whether it is certain that nothing was or will be applied. */
  readonly effect: "not-applied" | "unknown";
}

export type Outcome = Reply | BackendFailure;

export interface Backend extends Service {
  /** As the log shows it; holds no password. */
  readonly name: string;
  /** Whether it can be reached now; for /healthz. */
  readonly up: boolean;
  /** Where it was found, if its name does not say; "": nowhere yet. */
  readonly server?: string | undefined;
  /** How many numbers of databases `Unit.db` has. */
  readonly databases: number;
  /** Milliseconds that a command may take; no concern of one that answers at once. */
  timeout: number;
  /**
   * Executes one command as if on a connection of its own.
   * @param argv  name first, never empty
   * @returns at once where the backend can; a promise never rejects
   */
  execute(argv: readonly ByteString[], unit: Unit): Outcome | Promise<Outcome>;
  /**
   * Executes commands as one, nothing in between; if one is unknown or has too few or too many arguments, none.
   * @returns an array of their replies, errors among them
   */
  executeTogether(commands: readonly (readonly ByteString[])[], unit: Unit): Outcome | Promise<Outcome>;
  /** Whether each key was changed last by the unit that its condition names; absent: it cannot tell. */
  holds?(conditions: readonly Condition[], unit: Unit): boolean;
}
