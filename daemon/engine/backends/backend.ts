/**
 * The interface of the stores that apply commands. A backend does not know the sender of a command, or the listener
 * that received it.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";
import type { Service } from "../../net/process/service.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { RefusalCode } from "../answers/refusals.js";

/** The failure of a database that did not reply. */
export interface BackendFailure {
  readonly kind: "failed";
  readonly code: Extract<RefusalCode, `database-${string}` | `working-memory${string}` | "not-carried">;
  readonly detail: string;
  /** Whether the command certainly has not been and will not be applied (`not-applied`), or may have been applied. */
  readonly effect: "not-applied" | "unknown";
}

export type BackendOutcome = Reply | BackendFailure;

export interface Backend extends Service {
  /** The backend's name in the log, without a password. */
  readonly name: string;
  /** Whether the backend can be reached now, for /healthz. */
  readonly up: boolean;
  /**
   * The address of the current server, or an empty string if no server was found yet. Undefined if the name already
   * includes the address.
   */
  readonly server?: string | undefined;
  /** The number of databases that `Unit.db` can select. */
  readonly databases: number;
  /** Maximum milliseconds for a command. Backends that reply immediately do not use it. */
  timeout: number;
  /**
   * Executes one command as if it had its own connection.
   * @param argv  name first, never empty
   * @returns the outcome itself if the backend can reply in this turn, otherwise a promise, which never rejects
   */
  execute(argv: readonly ByteString[], unit: Unit): BackendOutcome | Promise<BackendOutcome>;
  /**
   * Executes commands as one unit. If one of them is unknown or has a wrong number of arguments, none is executed.
   * @returns an array of their replies, including errors
   */
  executeTogether(
    commands: readonly (readonly ByteString[])[],
    unit: Unit,
  ): BackendOutcome | Promise<BackendOutcome>;
  /**
   * Whether each key was last changed by the unit that its condition names. Absent if the backend does not know which
   * unit changed a key.
   */
  holds?(conditions: readonly Condition[], unit: Unit): boolean;
}
