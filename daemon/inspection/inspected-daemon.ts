/** What is known of a daemon whose administrators ask. Everything as of now. */

import type { KeyCounts } from "../../engine/backends/key-counts.js";
import type { OrderFigures } from "../../engine/pipeline/order-figures.js";
import type { SlowLog } from "../../engine/slow-log/slow-log.js";
import type { Settings } from "../../options/settings.js";
import type { Health } from "../admin/health.js";
import type { Metrics } from "../admin/metrics.js";

/** A connection, as its listener knows it. Times are `uptime` milliseconds. */
export interface InspectedClient {
  /** Address and port. */
  readonly remote: string;
  readonly openedAt: number;
  readonly activeAt: number;
  /** Bytes of unfinished requests and untaken answers. */
  readonly heldBytes: number;
}

/** A listener by its name in metrics, and who is connected. */
export interface InspectedListener {
  readonly name: string;
  readonly clients: Iterable<InspectedClient>;
}

/** What a database in the daemon's memory tells. */
export interface InspectedKeys {
  readonly keyCounts: readonly KeyCounts[];
  readonly expiredKeys: number;
  readonly changes: { readonly lookups: { readonly hits: number; readonly misses: number } };
}

export interface InspectedDaemon {
  readonly health: () => Health;
  /** Hexadecimal. */
  readonly id: string;
  /** `uptime` milliseconds. */
  readonly startedAt: number;
  readonly uptime: () => number;
  readonly settings: () => Settings;
  /** Hexadecimal; "": it has no keys. */
  readonly cluster: () => string;
  /** How many other daemons are connected; null: it stands alone. */
  readonly members: () => number | null;
  /** Why nothing is written any more; null: all is well. */
  readonly failure: () => string | null;
  /** How it stands to the stream that orders its writes; null: none does. */
  readonly order: () => OrderFigures | null;
  /** Whether its memory is all that there is behind it. */
  readonly hasOwnMemory: boolean;
  /** null: others have the keys. */
  readonly keys: InspectedKeys | null;
  readonly memory: {
    readonly used: number;
    readonly bytes: number;
    readonly policy: string;
    readonly evicted: number;
  };
  readonly metrics: Metrics;
  readonly listeners: () => readonly InspectedListener[];
  readonly slowLog: SlowLog;
}
