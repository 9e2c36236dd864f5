/** The reasons that a listener's refusals can have, so that no series is shown that would always stay at 0. */
import { REFUSALS, type RefusalCode } from "../../engine/answers/refusals.js";

/** Reasons that version 1 has too: problems of its bytes, signatures and databases. */
const VERSION_1_TOO: ReadonlySet<string> = new Set<RefusalCode>([
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

/** Reasons that version 1 has alone: version 2 answers such commands with an error. */
const VERSION_1_ONLY: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["version-1-off", "not-permitted", "empty-command", "too-many-arguments"] as const),
  ...(["not-carried", "command-error"] as const),
]);

/** Reasons before the first frame, when the version is not known. */
const UNKNOWN_VERSION: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["malformed", "version-1-off", "frame-unfinished", "idle", "tls-handshake", "not-tls"] as const),
  ...(["too-many-connections", "too-much-buffered", "output-stuck"] as const),
]);

const OF_CONNECTIONS: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["tls-handshake", "not-tls", "too-many-connections", "too-much-buffered"] as const),
]);

/** @param listener  the name that the observer receives */
export function canRefuse(listener: string, code: RefusalCode): boolean {
  if (listener === "ws") return !VERSION_1_ONLY.has(code);
  if (code === "wrong-origin") return false;
  if (listener === "dbsync") return UNKNOWN_VERSION.has(code);
  if (OF_CONNECTIONS.has(code)) return false;
  if (listener === "dbsync-v2") return !VERSION_1_ONLY.has(code);
  const isOfEnvelopes = "wire" in REFUSALS[code] && !VERSION_1_TOO.has(code);
  return listener !== "dbsync-v1" || !isOfEnvelopes;
}
