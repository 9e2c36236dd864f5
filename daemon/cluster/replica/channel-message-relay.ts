/**
 * Relays messages from clients without keys to the members. The daemon signs the messages of one turn together as
 * envelopes, and sends one copy to each connected member. The messages are not recorded, and without connected members
 * they are not signed either.
 */

import { COMMANDS_MAX } from "../../../protocol/version-2/envelope.js";
import type { Refused } from "../../engine/answers/request.js";
import type { ChannelMessage, Relay } from "../../engine/channels/channels.js";
import { commandOf } from "../../engine/channels/message-commands.js";
import type { Broadcasts } from "../../engine/pipeline/publish-messages.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { type LineLog, LogThrottle } from "../../net/process/log-throttle.js";
import type { Settings } from "../../options/settings.js";
import type { ChannelMessages } from "../peers/channel-messages.js";
import type { OwnEnvelopes } from "./own-envelopes.js";
import { nextTurn } from "./replica-context.js";

export interface MessageRelaying {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly log: LineLog;
  readonly broadcasts: Broadcasts;
  readonly channelMessages: ChannelMessages;
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

export class MessageRelay implements Relay {
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
    { settings, environment, log, broadcasts, channelMessages }: MessageRelaying,
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
 * Relays messages that are published on this daemon to the members. A client's signed message is relayed unchanged. The
 * daemon signs all other messages.
 */
export function relayMessages(parts: MessageRelaying): void {
  const { own, channelMessages, broadcasts } = parts;
  broadcasts.forwardToMembers = ({ body, signature }) => {
    if (!channelMessages.hasReceivers) return;
    // Copy the bytes, because they are views of a receive buffer.
    channelMessages.sendToMembers({ body: Buffer.from(body), signature: Buffer.from(signature) });
  };
  if (own === null) return;
  broadcasts.channels.relay = new MessageRelay(own, parts);
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
