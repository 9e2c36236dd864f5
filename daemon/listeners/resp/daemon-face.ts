/** What the commands on the server ask the daemon, whose parts they do not know. */
import type { Copies } from "../../copies.js";
import type { Settings } from "../../settings.js";

export interface DaemonFace {
  readonly settings: Pick<
    Settings,
    "aclFile" | "data" | "fsync" | "logLevel" | "maxmemoryPolicy" | "jsonReplicas"
  >;
  /** Bytes in use as --maxmemory counts them, garbage among them; and keys that it has made go since the start. */
  readonly memory: { readonly used: number; readonly evicted: number };
  /** Where the listener listens. */
  readonly address: string;
  readonly port: number;
  /** Daemons that are connected. */
  readonly members: number;
  /** What other daemons have of the writes; null: nothing is recorded. */
  readonly copies: Pick<Copies, "isAlone" | "count" | "wait"> | null;
  /** As clients are told. */
  readonly state: string;
  /** Stops the process in its own time; null: it is not ours to stop. */
  readonly shutDown: (() => void) | null;
}
