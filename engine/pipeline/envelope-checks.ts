/** What an envelope's header must be like for this daemon. Pure; a refusal is a value, null means right. */

import type { DateWindow } from "../../options/date-window.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { type Envelope, hexOf } from "../../protocol/version-2/envelope.js";
import { isKeyCommand, type KeyRecord } from "../../store/key-ring.js";
import { type Role, validity } from "../../store/rights/key-record.js";
import { type Refused, refused } from "../answers/request.js";

/**
 * Bytes that the body of an envelope with KEY or CLUSTER commands may have: such envelopes are part of every snapshot for
 * good. The same for all daemons, as what one has taken all must be able to take. Source: docs/protocol-v2.md "Body".
 */
export const RING_BODY_BYTES_MAX = 262_144;

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

/**
 * Checks whether the envelope is meant for this daemon, and can be done here, as its bytes tell.
 * @param bytes  of its body
 * @param role   of its signer; null: it is not signed
 */
export function checkEnvelope(
  envelope: Envelope,
  bytes: number,
  role: Role | null,
  audience: Audience,
): Refused | null {
  const { cluster, only, as, db } = envelope;
  if (cluster !== audience.cluster) return refused("wrong-cluster", `meant for ${hexOf(cluster)}`);
  if (only !== null && only !== audience.daemon) return refused("wrong-daemon", `meant for ${hexOf(only)}`);
  if (as !== null && role !== "daemon") return refused("not-a-daemon", `signed as ${JSON.stringify(as)}`);
  if (db >= audience.databases) return refused("wrong-db", `database ${db}`);
  if (envelope.if !== null) {
    if (!audience.takesConditions) return refused("if-not-carried", `${envelope.if.length} conditions`);
    const wrong = envelope.if.find((condition) => condition.db >= audience.databases);
    if (wrong !== undefined) return refused("wrong-db", `database ${wrong.db} in a condition`);
  }
  return checkRing(envelope.commands, bytes);
}

/** Whether an envelope for the key ring is that alone, and short. @param bytes  of its body */
export function checkRing(commands: Envelope["commands"], bytes: number): Refused | null {
  if (!commands.some(isKeyCommand)) return null;
  if (!commands.every(isKeyCommand)) return refused("not-alone", `among ${commands.length} commands`);
  if (bytes <= RING_BODY_BYTES_MAX) return null;
  return refused("ring-too-long", `${bytes} bytes, of ${RING_BODY_BYTES_MAX}`);
}

/** Checks whether a key may sign at a time. @param at  milliseconds since 1970 */
export function checkValidity(signer: KeyRecord, at: number): Refused | null {
  const state = validity(signer, at);
  if (state === "valid") return null;
  const who = `key ${hexOf(signer.id)}${signer.label === "" ? "" : ` (${signer.label})`}`;
  if (state === "revoked") return refused("revoked", who);
  return refused(state === "expired" ? "key-expired" : "key-not-yet-valid", who);
}

/** Whether a date lies in the window. @param clock  the daemon's */
export function checkDate(at: number, clock: number, { past, future }: DateWindow): Refused | null {
  if (at > clock - past && at < clock + future) return null;
  return refused("skew", `dated ${at - clock} ms from this daemon's clock`);
}

/** Bytes that are no body are refused. */
export function reading<T extends object | null>(read: () => T): T | Refused {
  try {
    return read();
  } catch (problem) {
    if (problem instanceof MalformedFrame) return refused("malformed", problem.message);
    throw problem;
  }
}
