/**
 * Checks messages that members relay, as if the clients had sent them directly: the signature, the cluster, the date,
 * and the channels that the key may publish to. The result does not depend on which member relayed a message.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { NO_KEY, needsDaemon, readBody, signedPieces } from "../../../protocol/version-2/envelope.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import type { Refused } from "../../engine/answers/request.js";
import { messagesOf } from "../../engine/channels/message-commands.js";
import { checkDate, checkEnvelope, checkValidity } from "../../engine/pipeline/envelope-checks.js";
import type { Broadcasts } from "../../engine/pipeline/publish-messages.js";
import { hashOf } from "../../engine/trust/identity.js";
import type { Signers } from "../../engine/trust/signers.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import type { KeyRecord } from "../../store/key-ring.js";
import { refusalOf } from "../../store/unit-permission.js";
import type { ClusterState, DeliverMessage } from "../peers/shared/cluster-state.js";
import { UNSIGNED } from "./check-entry.js";
import type { ReplicaContext } from "./replica-context.js";

type Verdict = ReturnType<DeliverMessage>;

/** Returns the functions that check messages relayed by peers, and deliver them to this daemon's subscribers. */
export function messageDelivery(
  context: ReplicaContext,
  broadcasts: Broadcasts,
): NonNullable<ClusterState["messages"]> {
  return {
    deliver: (body, signature) => {
      try {
        return checkAndDeliver(context, broadcasts, body, signature);
      } catch (problem) {
        if (problem instanceof MalformedFrame) return lie(`malformed: ${problem.message}`);
        throw problem;
      }
    },
    missed: () => broadcasts.miss(),
  };
}

/**
 * Checks an envelope of messages. The expensive check of the signature comes late, and is followed only by checks that
 * depend on it.
 */
function checkAndDeliver(
  { signers, environment, settings }: ReplicaContext,
  broadcasts: Broadcasts,
  body: Buffer,
  signature: Buffer,
): Verdict {
  const { ring } = signers;
  const { key, at } = readHead(body);
  if (key === NO_KEY) return lie(UNSIGNED);
  const id = hashOf(...signedPieces(body));
  if (broadcasts.wasPublished(id, at)) return "known";
  const late = checkDate(at, environment.clock(), settings.window);
  if (late !== null) return honest(late);
  if (broadcasts.isKnown(id, at)) return { refused: FORGOTTEN, isLie: false };
  const signer = ring.find(key);
  if (signer === undefined) return "unknown-signer";
  if (!signers.verify(signer, { body, signature }, id)) return lie("bad-signature");
  const now = checkValidity(signer, environment.clock());
  if (now !== null) return honest(now);
  return deliver(signers, broadcasts, body, id, signer);
}

function deliver(
  { cluster, ring }: Signers,
  broadcasts: Broadcasts,
  body: Buffer,
  id: ByteString,
  signer: KeyRecord,
): Verdict {
  const envelope = readBody(body);
  const { at, key, commands } = envelope;
  const here = { cluster, daemon: "", databases: DATABASES_DEFAULT, takesConditions: false, decides: false };
  const wrong = checkEnvelope(envelope, body.length, signer.role, here);
  if (wrong !== null) return lie(`${wrong.code}: ${wrong.detail}`);
  const messages = messagesOf(envelope);
  if (messages === null) return lie("it holds more than messages");
  const judged = { key, at, conditions: null, needsDaemon: needsDaemon(envelope) };
  const isPermitted = (_: unknown, index: number) =>
    refusalOf({ ...judged, commands: commands.slice(index, index + 1) }, signer, ring) === null;
  const permitted = messages.filter(isPermitted);
  if (permitted.length === 0) return { refused: "not permitted to its key", isLie: false };
  broadcasts.publish(id, at, permitted, null);
  return "delivered";
}

const FORGOTTEN = "so old that it may have been delivered and forgotten";

const lie = (refused: string): Verdict => ({ refused, isLie: true });

/**
 * Refuses a message that an honest member may have relayed, because its clock or its key ring may differ from this
 * daemon's.
 */
const honest = ({ code, detail }: Refused): Verdict => ({ refused: `${code}: ${detail}`, isLie: false });
