/**
 * Checks an envelope's header. Each check is a pure function that returns a refusal, or null if the envelope passes.
 */

import { MalformedFrame } from "../../../protocol/errors.js";
import { type Envelope, hexOf, needsDaemon } from "../../../protocol/version-2/envelope.js";
import type { DateWindow } from "../../options/date-window.js";
import { isKeyCommand, type KeyRecord } from "../../store/key-ring.js";
import { type Role, validity } from "../../store/rights/key-record.js";
import { type Refused, refused } from "../answers/request.js";

/**
 * Maximum bytes of the body of an envelope with KEY or CLUSTER commands. The body is limited because every later
 * snapshot contains it. All daemons have the same limit, because all daemons must accept what one daemon has accepted.
 * Source: docs/protocol-v2.md "Envelope".
 */
export const RING_BODY_BYTES_MAX = 262_144;

/** The properties of this daemon that an envelope's header must match. */
export interface Audience {
  /** The cluster's id, 32 bytes. */
  readonly cluster: string;
  /** The daemon's id, 32 bytes. */
  readonly daemon: string;
  /** The number of databases that a command can select. */
  readonly databases: number;
  readonly takesConditions: boolean;
  /** Whether the members of a list decide units. */
  readonly decides: boolean;
}

/**
 * Checks whether an envelope is meant for this daemon and can be executed here. The result does not depend on the
 * daemon's state.
 * @param bytes  the length of the envelope's body
 * @param role   the signer's role, or null if the envelope is not signed
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
  if (needsDaemon(envelope) && role !== "daemon")
    return refused("not-a-daemon", as === null ? "with units or choices" : `signed as ${JSON.stringify(as)}`);
  if (db >= audience.databases) return refused("wrong-db", `database ${db}`);
  if (envelope.if !== null) {
    if (!audience.takesConditions) return refused("if-not-carried", `${envelope.if.length} conditions`);
    const wrong = envelope.if.find((condition) => condition.db >= audience.databases);
    if (wrong !== undefined) return refused("wrong-db", `database ${wrong.db} in a condition`);
  }
  if (envelope.decide) {
    if (!audience.decides) return refused("cannot-decide", "no list of members is in force");
    // The other members would refuse it, and no keeper could propose anything else until its date is too old.
    if (only !== null) return refused("malformed", "a decision is requested of one daemon only");
    if (envelope.commands.some(isKeyCommand)) return refused("malformed", "a decision is requested on keys");
  }
  return checkRing(envelope.commands, bytes);
}

/**
 * Checks that an envelope with KEY or CLUSTER commands contains no other commands, and that it is short enough.
 * @param bytes  the length of the envelope's body
 */
export function checkRing(commands: Envelope["commands"], bytes: number): Refused | null {
  if (!commands.some(isKeyCommand)) return null;
  if (!commands.every(isKeyCommand)) return refused("not-alone", `among ${commands.length} commands`);
  if (bytes <= RING_BODY_BYTES_MAX) return null;
  return refused("ring-too-long", `${bytes} bytes, more than ${RING_BODY_BYTES_MAX}`);
}

/** Checks whether a key may sign at a given time. @param at  milliseconds since 1970 */
export function checkValidity(signer: KeyRecord, at: number): Refused | null {
  const state = validity(signer, at);
  if (state === "valid") return null;
  const who = `key ${hexOf(signer.id)}${signer.label === "" ? "" : ` (${signer.label})`}`;
  if (state === "revoked") return refused("revoked", who);
  return refused(state === "expired" ? "key-expired" : "key-not-yet-valid", who);
}

/** Checks whether a date is within the window. @param clock  the daemon's clock, milliseconds since 1970 */
export function checkDate(at: number, clock: number, { past, future }: DateWindow): Refused | null {
  if (at > clock - past && at < clock + future) return null;
  return refused("skew", `dated ${at - clock} ms from this daemon's clock`);
}

/** Returns the result of `read`, or a refusal if the bytes are malformed. */
export function reading<T extends object | null>(read: () => T): T | Refused {
  try {
    return read();
  } catch (problem) {
    if (problem instanceof MalformedFrame) return refused("malformed", problem.message);
    throw problem;
  }
}
