/**
 * What a member gives is judged by its bytes, never by who gave it: whose it is, that its signature holds, and that it is
 * meant for this cluster. What its key may do, and whether it was valid then, the fold decides.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { readBody, signedPieces } from "../protocol/envelope.js";
import { MalformedFrame } from "../protocol/errors.js";
import type { Place } from "../timeline/entry.js";
import { checkAudience } from "./envelope-checks.js";
import type { CheckEntry, CheckedEntry } from "./peers/peering-parts.js";
import type { SignersFace } from "./signers.js";

export interface EntryCheckParts {
  readonly signers: SignersFace;
  readonly hash: (...pieces: readonly Buffer[]) => ByteString;
  /** How many databases there are. */
  readonly databases: number;
}

/** @returns  a check whose buffers are kept with the entry */
export function entryCheck(parts: EntryCheckParts): CheckEntry {
  return (body, signature, holds) => {
    try {
      return check(parts, body, signature, holds);
    } catch (problem) {
      if (problem instanceof MalformedFrame) return { refused: `malformed: ${problem.message}` };
      throw problem;
    }
  };
}

function check(
  { signers, hash, databases }: EntryCheckParts,
  body: Buffer,
  signature: Buffer,
  holds: (place: Place) => boolean,
): CheckedEntry {
  const { ring, cluster } = signers;
  // A member's bytes are taken apart before their signature holds: most of what is not new is told from them alone.
  const envelope = readBody(body);
  const { key, at, seq } = envelope;
  const id = hash(...signedPieces(body));
  const place = { at, seq, id };
  if (holds(place)) return { held: place };
  const spki = ring.spkiOf(envelope);
  if (spki === undefined) return "unknown-signer";
  if (!signers.verify({ id: key, spki }, { kind: "command", body, signature }, id))
    return { refused: "bad-signature" };
  if (envelope.only !== null) return { refused: "wrong-daemon: it is for one daemon alone" };
  // Whose the key is may still change: `as` was judged where the envelope was taken first-hand.
  const wrong = checkAudience(
    envelope,
    { role: "daemon" },
    { cluster, daemon: "", databases, takesConditions: true },
  );
  if (wrong !== null) return { refused: `${wrong.code}: ${wrong.detail}` };
  return { id, body, signature, envelope };
}
