/**
 * Checks an envelope's header, and finds the signer of a command of either version before the rest of the command is
 * parsed. Each check is a pure function that returns a refusal, or null if the envelope passes.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import {
  type Condition,
  type Envelope,
  hexOf,
  NO_KEY,
  needsDaemon,
  signerOf,
} from "../../../protocol/version-2/envelope.js";
import type { CommandMessage } from "../../../protocol/version-2/messages-v2.js";
import type { DateWindow } from "../../options/timeline-values.js";
import { isKeyCommand, type KeyRecord } from "../../store/key-ring.js";
import { type Role, validity } from "../../store/rights/key-record.js";
import { type Refused, type Request, refused } from "../answers/request.js";
import type { Signers } from "../trust/signers.js";
import { checkDecided } from "./decided-checks.js";
import type { PipelineParts } from "./pipeline-parts.js";

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

  const conditions = conditionsIn(envelope);
  if (conditions !== null) {
    if (!audience.takesConditions) return refused("if-not-carried", `${conditions.length} conditions`);
    const wrong = conditions.find((condition) => condition.db >= audience.databases);
    if (wrong !== undefined) return refused("wrong-db", `database ${wrong.db} in a condition`);
  }

  const refusal = envelope.decide ? checkDecided(envelope, bytes, audience) : null;
  return refusal ?? checkRing(envelope.commands, bytes);
}

/** Returns the conditions of all units, or null if no unit has any. */
const conditionsIn = ({ if: conditions, ifs }: Envelope): readonly Condition[] | null =>
  ifs === null ? conditions : [...ifs.values()].flat();

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

/** The signer, null if the command is unsigned and this daemon has no keys, or the refusal. */
export type CommandSigner = KeyRecord | null | Refused;

/** The keys of a daemon, and whether it executes unsigned commands if it has no keys. */
export interface Admission {
  readonly signers: Signers | null;
  readonly acceptsUnsigned: boolean;
}

/**
 * Checks that a signature is present if the daemon has keys, and absent if it has none; and that unsigned commands do
 * not bypass the daemon's users. Source: docs/protocol-v2.md "Without a key".
 */
export function checkSigned(
  isSigned: boolean,
  { signers, acceptsUnsigned }: Admission,
  what: string,
): Refused | null {
  if (isSigned === (signers !== null))
    return isSigned || acceptsUnsigned ? null : refused("login-required", `unsigned ${what}`);
  return isSigned ? refused("not-due", `signed ${what}`) : refused("unsigned", `unsigned ${what}`);
}

/** Returns the signer of a command of version 1. Such a command does not name its key. */
export function signerOfCommand(
  { text, signature }: Request,
  admission: Admission,
  { environment, observer }: PipelineParts,
): CommandSigner {
  const { signers } = admission;
  const refusal = checkSigned(signature !== null, admission, "command");
  if (refusal !== null || signers === null || signature === null) return refusal;

  const before = environment.uptime();
  const signer = signers.ofCommand(text, signature);
  observer.verified(environment.uptime() - before);

  if (signer === undefined)
    return refused(
      "bad-signature",
      `a signature of ${signature.length} bytes that no key of this daemon made`,
    );
  return checkValidity(signer, environment.clock()) ?? signer;
}

/** Returns the signer of an envelope. Reads only the key's id from the body. @throws MalformedFrame */
export function signerOfEnvelope(
  message: CommandMessage,
  id: ByteString,
  admission: Admission,
  { environment, observer }: PipelineParts,
): CommandSigner {
  const { body, signature } = message;
  const key = signerOf(body);

  // An envelope with the id NO_KEY and a signature counts as signed. It is refused later because no key has that id.
  const { signers } = admission;
  const refusal = checkSigned(key !== NO_KEY || signature.length > 0, admission, "envelope");
  if (refusal !== null || signers === null) return refusal;

  const signer = signers.find(key);
  if (signer === undefined)
    return refused("unknown-key", `key ${Buffer.from(key, "latin1").toString("hex")}`);

  const before = environment.uptime();
  const holds = signers.verify(signer, message, id);
  observer.verified(environment.uptime() - before);
  return holds ? signer : refused("bad-signature", `a signature of ${signature.length} bytes`);
}
