/** The daemon as its administrators inspect it. All values are current. */

import type { SlowLog } from "../../engine/slow-log/slow-log.js";
import type { Settings } from "../../options/settings.js";
import type { Sources } from "../admin/metric-row.js";

/** A connection, as its listener knows it. Times are `uptime` milliseconds. */
export interface InspectedClient {
  /** Address and port. */
  readonly remote: string;
  readonly openedAt: number;
  readonly activeAt: number;
  /** Bytes of unfinished requests and untaken answers. */
  readonly heldBytes: number;
  /** Its user, or its signing key's label or first digits, and its last command; "": not known. */
  readonly doing: { readonly name: string; readonly command: string };
}

/** A listener by its name in metrics, and its connected clients. */
export interface InspectedListener {
  readonly name: string;
  readonly clients: Iterable<InspectedClient>;
}

export interface InspectedDaemon extends Sources {
  /** Hexadecimal. */
  readonly id: () => string;
  /** `uptime` milliseconds. */
  readonly startedAt: number;
  readonly uptime: () => number;
  readonly settings: () => Settings;
  /** Hexadecimal; "": it has no keys. */
  readonly cluster: () => string;
  /** The number of other daemons that are connected; null: this daemon is alone. */
  readonly members: () => number | null;
  /** Why no write is accepted any longer; null: writes are accepted. */
  readonly failure: () => string | null;
  /** Bytes; `limit` 0: there is none. */
  readonly memory: () => { readonly used: number; readonly limit: number };
  readonly eviction: () => { readonly policy: string; readonly evicted: number };
  readonly listeners: () => readonly InspectedListener[];
  readonly slowLog: SlowLog;
}
