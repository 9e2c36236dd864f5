/**
 * Checks whether a client and a daemon agree on signatures: a client with a key requires a daemon with keys, and a
 * client without a key requires a daemon without keys. The functions are pure. Source: docs/protocol-v2.md "Without a
 * key".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { NO_KEY } from "../../protocol/version-2/envelope.js";
import { type Hello, KNOWS_SIGNED, KNOWS_UNSIGNED } from "../../protocol/version-2/messages-v2.js";
import { DbsyncError } from "../shared/errors.js";
import type { Sealer } from "../shared/sealer.js";

const KEYLESS =
  "not-due: This daemon has no keys, and accepts no signed commands. Start it with this key's public half (-s), or do not sign.";
const SIGNED_ONLY =
  "unsigned: This daemon accepts only signed commands. Specify the private key (-k, the option key, DBSYNC_SIGNKEY, dbsync.signkey).";

/** Whether the detail of a failure means that the daemon accepts no commands of this client. */
export const isSigningMismatch = (detail: string): boolean => detail === KEYLESS || detail === SIGNED_ONLY;

/** Whether the client has a key, and therefore signs its envelopes. */
export const isSigning = ({ keyId }: Sealer): boolean => keyId !== NO_KEY;

/** Returns the cluster to name in envelopes, or `NO_KEY` for daemons without keys, which have an empty cluster. */
export const clusterOrNoKey = (cluster: ByteString): ByteString => cluster || NO_KEY;

/** Returns the error if a refused subscription can never succeed, or null if a later attempt may succeed. */
export function finalRefusal(detail: string, address: string): DbsyncError | null {
  if (detail !== SIGNED_ONLY) return null;
  const refused = { status: "failed", stage: "refused", detail, effect: "not-applied", ms: 0 } as const;
  return new DbsyncError("refused", "", { outcomes: [{ address, ...refused }] });
}

/** Returns why client and daemon disagree, in the form of a refusal, or null if they agree. */
export function disagreement({ knows }: Hello, isSigned: boolean): string | null {
  if (isSigned) return knows.includes(KNOWS_SIGNED) ? null : KEYLESS;
  return knows.includes(KNOWS_UNSIGNED) ? null : SIGNED_ONLY;
}
