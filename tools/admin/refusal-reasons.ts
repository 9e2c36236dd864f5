/** The reasons that are possible for each listener, so that /metrics shows no series that always remains 0. */
import { REFUSALS, type RefusalCode } from "../../daemon/engine/answers/refusals.js";

/** Reasons that version 1 shares with version 2: problems with bytes, signatures and databases. */
const BOTH_VERSIONS: ReadonlySet<string> = new Set<RefusalCode>([
  ...([
    "malformed",
    "unsigned",
    "not-due",
    "bad-signature",
    "key-not-yet-valid",
    "key-expired",
    "revoked",
  ] as const),
  ...(["database-down", "database-lost", "database-timeout"] as const),
]);

/** Reasons that only version 1 has, because version 2 answers such commands with an error. */
const VERSION_1_ONLY: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["version-1-off", "not-permitted", "empty-command", "too-many-arguments"] as const),
  ...(["not-carried", "command-error"] as const),
]);

/** Reasons that can occur before the first frame, when the version is unknown. */
const UNKNOWN_VERSION: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["malformed", "version-1-off", "frame-unfinished", "idle", "tls-handshake", "not-tls"] as const),
  ...(["too-many-connections", "too-much-buffered", "output-stuck"] as const),
]);

/** Reasons to refuse a connection before its listener is known. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["tls-handshake", "not-tls", "too-many-connections", "too-much-buffered"] as const),
]);

/** Whether a listener can refuse requests for a reason. @param listener  the name that the observer receives */
export function canRefuse(listener: string, code: RefusalCode): boolean {
  if (listener === "ws") return !VERSION_1_ONLY.has(code);
  if (code === "wrong-origin") return false;
  if (listener === "dbsync") return UNKNOWN_VERSION.has(code);
  if (OF_CONNECTIONS.has(code)) return false;
  if (listener === "dbsync-v2") return !VERSION_1_ONLY.has(code);
  const isOfEnvelopes = "wire" in REFUSALS[code] && !BOTH_VERSIONS.has(code);
  return listener !== "dbsync-v1" || !isOfEnvelopes;
}
