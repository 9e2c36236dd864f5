/**
 * Messages that a member hands on are judged as if their client had brought them: by the signature, the cluster, the date, and what
 * the key may say where. Who handed them on counts for nothing.
 */

import type { Refused } from "../../engine/answers/request.js";
import { spokenBy } from "../../engine/channels/spoken.js";
import type { Broadcasts } from "../../engine/pipeline/broadcasts.js";
import { checkDate, checkEnvelope, checkValidity } from "../../engine/pipeline/envelope-checks.js";
import { hashOf } from "../../engine/trust/identity.js";
import type { Signers } from "../../engine/trust/signers.js";
import type { DateWindow } from "../../options/date-window.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { NO_KEY, readBody, signedPieces } from "../../protocol/version-2/envelope.js";
import { readHead } from "../../protocol/version-2/envelope-head.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import { refusalOf } from "../../store/judgement.js";
import type { KeyRecord } from "../../store/key-ring.js";
import type { ClusterState, HearMessages } from "../peers/shared/cluster-state.js";
import { UNSIGNED } from "./check-entry.js";

export interface MessageCheckParts {
  readonly signers: Signers;
  readonly hash: (...pieces: readonly Buffer[]) => ByteString;
  readonly broadcasts: Broadcasts;
  readonly clock: () => number;
  readonly window: DateWindow;
  readonly databases: number;
}

type Verdict = ReturnType<HearMessages>;

export function messageCheck(parts: MessageCheckParts): HearMessages {
  return (body, signature) => {
    try {
      return hear(parts, body, signature);
    } catch (problem) {
      if (problem instanceof MalformedFrame) return lie(`malformed: ${problem.message}`);
      throw problem;
    }
  };
}

import type { ReplicaContext } from "./replica-context.js";

/** What a daemon's peers are given to hear messages by. */
export function heardMessages(
  { signers, environment, settings }: ReplicaContext,
  broadcasts: Broadcasts,
): NonNullable<ClusterState["messages"]> {
  const { clock } = environment;
  const { window } = settings;
  const databases = DATABASES_DEFAULT;
  return {
    hear: messageCheck({ signers, hash: hashOf, broadcasts, clock, window, databases }),
    missed: () => broadcasts.miss(),
  };
}

/** What costs most to check is checked last but for what only the signature makes worth a look. */
function hear(parts: MessageCheckParts, body: Buffer, signature: Buffer): Verdict {
  const { signers, hash, broadcasts, clock, window } = parts;
  const { ring } = signers;
  const { key, at } = readHead(body);
  if (key === NO_KEY) return lie(UNSIGNED);
  const id = hash(...signedPieces(body));
  if (broadcasts.wasPublished(id, at)) return "known";
  const late = checkDate(at, clock(), window);
  if (late !== null) return honest(late);
  if (broadcasts.isKnown(id, at)) return { refused: FORGOTTEN, isLie: false };
  const signer = ring.find(key);
  if (signer === undefined) return "unknown-signer";
  if (!signers.verify(signer, { body, signature }, id)) return lie("bad-signature");
  const now = checkValidity(signer, clock());
  if (now !== null) return honest(now);
  return tell(parts, body, id, signer);
}

function tell(
  { broadcasts, ...parts }: MessageCheckParts,
  body: Buffer,
  id: ByteString,
  signer: KeyRecord,
): Verdict {
  const { signers, databases } = parts;
  const envelope = readBody(body);
  const { at, key, as, commands } = envelope;
  const here = { cluster: signers.cluster, daemon: "", databases, takesConditions: false };
  const wrong = checkEnvelope(envelope, body.length, signer.role, here);
  if (wrong !== null) return lie(`${wrong.code}: ${wrong.detail}`);
  const spoken = spokenBy(envelope);
  if (spoken === null) return lie("it holds more than messages");
  const isPermitted = (_: unknown, place: number) =>
    refusalOf(
      { key, at, commands: commands.slice(place, place + 1), conditions: null, as },
      signer,
      signers.ring,
    ) === null;
  const permitted = spoken.filter(isPermitted);
  if (permitted.length === 0) return { refused: "not permitted to its key", isLie: false };
  broadcasts.publish(id, at, permitted, null);
  return "told";
}

const FORGOTTEN = "so early that it may have been told, and forgotten";

const lie = (refused: string): Verdict => ({ refused, isLie: true });

/** The member's clock, or its key ring, may be another. */
const honest = ({ code, detail }: Refused): Verdict => ({ refused: `${code}: ${detail}`, isLie: false });
