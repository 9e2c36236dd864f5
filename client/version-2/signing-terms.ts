/**
 * Whether a client and a daemon agree on signatures: one with a key needs a daemon that has keys, one without needs one that has
 * none. Pure. Source: docs/protocol-v2.md "Without a key".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { NO_KEY } from "../../protocol/version-2/envelope.js";
import { type Hello, KNOWS_UNSIGNED } from "../../protocol/version-2/messages-v2.js";
import { DbsyncError } from "../shared/errors.js";
import type { Sealer } from "../shared/sealer.js";

const KEYLESS = "not-due: it has no keys now, and takes nothing that is signed";
const SIGNED_ONLY = "unsigned: this daemon wants signed commands";

/** Whether a failure means that the daemon accepts none of what was sent, in whatever form. */
export const isTermsDetail = (detail: string): boolean => detail === KEYLESS || detail === SIGNED_ONLY;

/** Returns the capabilities in the hellos of a client without a key; undefined: it signs. */
export const unsignedWords = ({ keyId }: Sealer): readonly string[] | undefined =>
  keyId === NO_KEY ? [KNOWS_UNSIGNED] : undefined;

/** Returns the cluster for commands: daemons without keys name none, and accept only unsigned envelopes. */
export const clusterNamed = (cluster: ByteString): ByteString => cluster || NO_KEY;

/** Returns the error if the last daemon's refusal to listen is final; null: a later attempt may succeed. */
export function finalRefusal(detail: string, address: string): DbsyncError | null {
  if (detail !== SIGNED_ONLY) return null;
  const refused = { status: "failed", stage: "refused", detail, effect: "not-applied", ms: 0 } as const;
  return new DbsyncError("refused", "", { outcomes: [{ address, ...refused }] });
}

/**
 * Returns why client and daemon disagree, in the words of a refusal; null: they agree; `version-1`: neither signs,
 * and the daemon is of a release whose envelopes were all signed.
 * @param asks  the capabilities in the client's hello; undefined: none, so it signs
 */
export function disagreement(
  { versions, knows = [] }: Hello,
  asks: readonly string[] | undefined,
): string | null {
  const speaks2 = versions.includes(2);
  if (asks?.includes(KNOWS_UNSIGNED) !== true) return speaks2 ? null : KEYLESS;
  if (knows.includes(KNOWS_UNSIGNED)) return null;
  return speaks2 ? SIGNED_ONLY : "version-1";
}
