/**
 * The interface of the stores that apply commands. A backend knows neither the sender of a command nor the listener.
 */

import type { Service } from "../../net/process/service.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { RefusalCode } from "../answers/refusals.js";

/** The failure of a database that did not reply. */
export interface BackendFailure {
  readonly kind: "failed";
  readonly code: Extract<RefusalCode, `database-${string}` | "not-carried">;
  readonly detail: string;
  /** Whether the command certainly was not and will not be applied, or may have been. */
  readonly effect: "not-applied" | "unknown";
}

export type Outcome = Reply | BackendFailure;

export interface Backend extends Service {
  /** The backend's name in the log, without a password. */
  readonly name: string;
  /** Whether the backend can be reached now, for /healthz. */
  readonly up: boolean;
  /** The server's address, if the name does not include it, or an empty string if the server was not found yet. */
  readonly server?: string | undefined;
  /** The number of databases that `Unit.db` can select. */
  readonly databases: number;
  /** Maximum milliseconds for a command; unused where the reply is immediate. */
  timeout: number;
  /**
   * Executes one command as if it had its own connection.
   * @param argv  name first, never empty
   * @returns no promise where the backend can reply in this turn; a promise never rejects
   */
  execute(argv: readonly ByteString[], unit: Unit): Outcome | Promise<Outcome>;
  /**
   * Executes commands as one unit. If one of them is unknown or has a wrong number of arguments, none is executed.
   * @returns an array of their replies, including errors
   */
  executeTogether(commands: readonly (readonly ByteString[])[], unit: Unit): Outcome | Promise<Outcome>;
  /**
   * Returns whether each key was last changed by the unit that its condition names. Missing if the backend does not
   * know.
   */
  holds?(conditions: readonly Condition[], unit: Unit): boolean;
}
