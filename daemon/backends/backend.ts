/** What applies commands. A backend knows nothing of who sent them, nor through which listener. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Unit } from "../../store/unit.js";
import type { RefusalCode } from "../refusals.js";
import type { Service } from "../service.js";

/** No reply came from the database. */
export interface BackendFailure {
  readonly kind: "failed";
  readonly code: Extract<RefusalCode, `database-${string}` | "not-carried">;
  readonly detail: string;
}

export type Outcome = Reply | BackendFailure;

export interface Backend extends Service {
  /** As the log shows it; holds no password. */
  readonly name: string;
  /** Milliseconds that a command may take; no concern of one that answers at once. */
  timeout: number;
  /**
   * Executes one command as if on a connection of its own.
   * @param argv  name first, never empty
   * @returns at once where the backend can; a promise never rejects
   */
  execute(argv: readonly ByteString[], unit: Unit): Outcome | Promise<Outcome>;
}
