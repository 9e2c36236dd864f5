/**
 * Channel messages between daemons. Checks messages from members as if the clients had sent them directly: the
 * signature, the cluster, the date, and the channels that the key may publish to, so the result does not depend on the
 * member. Sends messages that are published here to the members: signed ones unchanged, all others signed with the
 * daemon's own key.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import {
  COMMANDS_MAX,
  NO_KEY,
  needsDaemon,
  readBody,
  signedPieces,
} from "../../../protocol/version-2/envelope.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import type { Refused } from "../../engine/answers/request.js";
import {
  type ChannelMessage,
  commandOf,
  type MemberChannels,
  type MemberSubscribers,
  messagesOf,
} from "../../engine/channels/channels.js";
import { checkDate, checkEnvelope, checkValidity } from "../../engine/pipeline/envelope-checks.js";
import type { Broadcasts } from "../../engine/pipeline/publish-messages.js";
import { hashOf } from "../../engine/trust/identity.js";
import type { Signers } from "../../engine/trust/signers.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { type LineLog, LogThrottle } from "../../net/process/log-throttle.js";
import type { Settings } from "../../options/settings.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import type { KeyRecord } from "../../store/key-ring.js";
import { refusalOf } from "../../store/unit-permission.js";
import type { ChannelMessages } from "../peers/member-channel-messages.js";
import type { ClusterState, DeliverMessage } from "../peers/shared/cluster-state.js";
import { UNSIGNED } from "./check-entry.js";
import type { OwnEnvelopes } from "./own-envelopes.js";
import { nextTurn, type ReplicaContext } from "./replica-context.js";

type Verdict = ReturnType<DeliverMessage>;

/** Returns the functions that check messages from members, and deliver them to this daemon's subscribers. */
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
    subscribers: broadcasts.channels,
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
 * Refuses a message that an honest member may have sent, because its clock or its key ring may differ from this
 * daemon's.
 */
const honest = ({ code, detail }: Refused): Verdict => ({ refused: `${code}: ${detail}`, isLie: false });

interface MessageSending {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly log: LineLog;
  readonly broadcasts: Broadcasts;
  readonly channelMessages: ChannelMessages;
  readonly subscribers: MemberSubscribers;
  /** Signs the daemon's own envelopes. Null if no listener accepts messages without a signature. */
  readonly own: OwnEnvelopes | null;
}

/** Milliseconds between two log lines that report unsigned messages. */
const REMINDER_MS = 60_000;
/**
 * An envelope that has reached this size is sent. Larger envelopes save nothing more, and members check an envelope in
 * one step.
 */
const ENVELOPE_BYTES = 64 * 1024;
/** Bytes of a message in addition to its channel and text. */
const MESSAGE_BYTES = 64;
const HEADER = { db: 0, as: null, multi: false, conditions: null } as const;

/**
 * The messages from clients without keys to the members. The daemon signs the messages of one turn together as
 * envelopes, and sends one copy to each connected member. The messages are not recorded, and without connected members
 * they are not signed either.
 */
class OwnMessages implements MemberChannels {
  readonly #own: OwnEnvelopes;
  readonly #broadcasts: Broadcasts;
  readonly #channelMessages: ChannelMessages;
  /** The maximum bytes that may wait to be signed. */
  readonly #maxBytes: number;
  #waiting: ChannelMessage[] = [];
  #bytes = 0;
  readonly #throttle: LogThrottle;

  constructor(
    own: OwnEnvelopes,
    { settings, environment, log, broadcasts, channelMessages }: MessageSending,
  ) {
    this.#own = own;
    this.#broadcasts = broadcasts;
    this.#channelMessages = channelMessages;
    this.#maxBytes = settings.limits.maxRelayBytes;
    this.#throttle = new LogThrottle({ log, uptime: environment.uptime, periodMs: REMINDER_MS });
  }

  send(message: ChannelMessage): void {
    if (!this.#channelMessages.hasReceivers) return;
    const bytes = bytesOf(message);
    if (this.#bytes + bytes > this.#maxBytes) {
      this.#drop(1, `${this.#bytes} bytes wait to be signed`);
      return;
    }
    if (this.#waiting.length === 0) nextTurn(this.#signAll);
    this.#waiting.push(message);
    this.#bytes += bytes;
  }

  readonly #signAll = (): void => {
    const own = this.#own;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    const refusal = own.refusal();
    if (refusal !== null) {
      this.#drop(waiting.length, reasonOf(refusal));
      return;
    }

    this.#throttle.clear("not signed");
    for (const part of envelopesOf(waiting)) {
      const entry = own.sign(HEADER, part.map(commandOf));
      // Remember the envelope, because a member may send it back after reconnecting.
      this.#broadcasts.note(entry.id, entry.envelope.at);
      this.#channelMessages.sendToMembers(entry);
    }
  };

  #drop(count: number, reason: string): void {
    this.#channelMessages.figures.dropped += count;
    this.#throttle.warn("not signed", { reason }, NOT_SIGNED);
  }
}

/**
 * Sends messages that are published on this daemon to the members, and counts the members' subscribers. A client's
 * signed message is sent unchanged. The daemon signs all other messages.
 */
export function sendMessagesToMembers(parts: MessageSending): void {
  const { own, channelMessages, broadcasts } = parts;
  broadcasts.channels.memberSubscribers = parts.subscribers;
  broadcasts.forwardToMembers = ({ body, signature }) => {
    if (!channelMessages.hasReceivers) return;
    // Copy the bytes, because they are views of a receive buffer.
    channelMessages.sendToMembers({ body: Buffer.from(body), signature: Buffer.from(signature) });
  };
  if (own === null) return;
  broadcasts.channels.members = new OwnMessages(own, parts);
}

function* envelopesOf(all: readonly ChannelMessage[]): Generator<readonly ChannelMessage[]> {
  let part: ChannelMessage[] = [];
  let bytes = 0;
  for (const message of all) {
    if (part.length === COMMANDS_MAX || (bytes >= ENVELOPE_BYTES && part.length > 0)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(message);
    bytes += bytesOf(message);
  }
  yield part;
}

const bytesOf = ({ channel, text }: ChannelMessage): number => MESSAGE_BYTES + channel.length + text.length;

const reasonOf = ({ code, detail }: Refused): string => `${code}: ${detail}`;

const NOT_SIGNED =
  "messages (PUBLISH) are delivered on this daemon only, because they cannot be signed for the other daemons";
