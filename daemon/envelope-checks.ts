/** What an envelope's header must be like for this daemon. Pure; a refusal is a value, null means right. */
import { type Envelope, hexOf } from "../protocol/envelope.js";
import { MalformedFrame } from "../protocol/errors.js";
import type { KeyRecord } from "../store/key-ring.js";
import type { DateWindow } from "./date-window.js";
import { type Refused, refused } from "./request.js";

/** What the daemon is, as far as an envelope can miss it. */
export interface Audience {
  /** 32 bytes. */
  readonly cluster: string;
  /** The daemon's id, 32 bytes. */
  readonly daemon: string;
  /** How many databases a command may choose from. */
  readonly databases: number;
  readonly takesConditions: boolean;
}

/** Whether the envelope is meant for this daemon, and can be done here. */
export function checkAudience(
  envelope: Envelope,
  signer: Pick<KeyRecord, "role">,
  audience: Audience,
): Refused | null {
  const { cluster, only, as, db } = envelope;
  if (cluster !== audience.cluster) return refused("wrong-cluster", `meant for ${hexOf(cluster)}`);
  if (only !== null && only !== audience.daemon) return refused("wrong-daemon", `meant for ${hexOf(only)}`);
  if (as !== null && signer.role !== "daemon")
    return refused("not-a-daemon", `signed as ${JSON.stringify(as)}`);
  if (db >= audience.databases) return refused("wrong-db", `database ${db}`);
  if (envelope.if !== null) {
    if (!audience.takesConditions) return refused("if-not-carried", `${envelope.if.length} conditions`);
    const wrong = envelope.if.find((condition) => condition.db >= audience.databases);
    if (wrong !== undefined) return refused("wrong-db", `database ${wrong.db} in a condition`);
  }
  return null;
}

/** Whether a key may sign at a time. @param at  milliseconds since 1970 */
export function checkValidity(
  signer: KeyRecord,
  validity: "valid" | "revoked" | "not-yet-valid" | "expired",
): Refused | null {
  if (validity === "valid") return null;
  const who = `key ${hexOf(signer.id)}${signer.label === "" ? "" : ` (${signer.label})`}`;
  if (validity === "revoked") return refused("revoked", who);
  return refused(validity === "expired" ? "key-expired" : "key-not-yet-valid", who);
}

/** Whether a date lies in the window. @param clock  the daemon's */
export function checkDate(at: number, clock: number, { past, future }: DateWindow): Refused | null {
  if (at > clock - past && at < clock + future) return null;
  return refused("skew", `dated ${at - clock} ms from this daemon's clock`);
}

/** Bytes that are no body are refused. */
export function reading<T extends object>(read: () => T): T | Refused {
  try {
    return read();
  } catch (problem) {
    if (problem instanceof MalformedFrame) return refused("malformed", problem.message);
    throw problem;
  }
}
