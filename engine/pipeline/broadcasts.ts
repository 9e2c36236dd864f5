/**
 * Publishes the messages of envelopes, each message once, whether the signing client sent the envelope or a member
 * forwarded it. The ids of the published envelopes are remembered. Forgotten ids are dated at or before a certain date,
 * the floor; messages of envelopes with such dates are never published.
 */

import type { Environment } from "../../net/process/environment.js";
import type { DateWindow } from "../../options/date-window.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { CommandMessage } from "../../protocol/version-2/messages-v2.js";
import type { ChannelMessage, Channels } from "../channels/channels.js";
import { SeenEnvelopes } from "./seen-envelopes.js";

/** Minimum milliseconds between two gap events to subscribers. */
const MISSED_EVERY_MS = 1000;

export class Broadcasts {
  /** Forwards a client's envelope to the members. Null if there are none. */
  passOn: ((message: CommandMessage) => void) | null = null;
  readonly channels: Channels;
  readonly #environment: Environment;
  readonly #window: DateWindow;
  readonly #seen: SeenEnvelopes;
  /** Whether another gap event is pending, or null if the next one is sent immediately. */
  #lacks: boolean | null = null;

  /** @param most  maximum number of ids that are remembered */
  constructor({
    channels,
    environment,
    window,
    most,
  }: {
    readonly channels: Channels;
    readonly environment: Environment;
    readonly window: DateWindow;
    readonly most: number;
  }) {
    this.channels = channels;
    this.#environment = environment;
    this.#window = window;
    // The previous process may have published messages that are dated before this start.
    this.#seen = new SeenEnvelopes(environment.clock(), { most, mostBytes: 0 });
  }

  /** Returns whether an envelope was published, or may have been, according to its date. */
  isKnown(id: ByteString, at: number): boolean {
    const now = this.#environment.clock();
    this.#seen.forget(now, now - this.#window.past);
    return at <= this.#seen.floor || this.#seen.find(id, at) !== undefined;
  }

  /** Returns whether this daemon remembers publishing an envelope; `isKnown` also covers forgotten ones. */
  wasPublished(id: ByteString, at: number): boolean {
    return this.#seen.find(id, at) !== undefined;
  }

  /**
   * Sends a gap event to all subscribers, because messages may be missing here. It is sent immediately, and again
   * after the interval if there were further gaps. Otherwise a client or member whose messages cannot be published
   * would cause a write to each subscriber for every such message.
   */
  miss(): void {
    if (this.#lacks !== null) {
      this.#lacks = true;
      return;
    }
    this.#lacks = false;
    this.channels.miss();
    this.#environment.setTimer(MISSED_EVERY_MS, () => {
      const lacks = this.#lacks;
      this.#lacks = null;
      if (lacks === true) this.miss();
    });
  }

  /** Remembers the id of an envelope that was signed for messages after this daemon had published them. */
  note(id: ByteString, at: number): void {
    if (!this.isKnown(id, at) && this.#seen.makeRoom(this.#environment.clock()) !== false)
      this.#seen.add(id, at, null);
  }

  /**
   * Publishes the messages of an envelope, unless the envelope is known.
   * @param from  the client's envelope, which is forwarded, or null if it came from a member, or is only for this
   * daemon
   * @returns for each message the number of local subscribers that received it; for a known envelope, the channel's
   * current number
   */
  publish(
    id: ByteString,
    at: number,
    messages: readonly ChannelMessage[],
    from: CommandMessage | null,
  ): readonly number[] {
    const { channels } = this;
    if (messages.length === 0) return [];
    if (this.isKnown(id, at)) {
      if (!this.wasPublished(id, at)) this.miss();
      return messages.map((message) => channels.countReceivers(message));
    }
    // No id can be forgotten, because all remembered ids belong to the current second. Without remembering this id its
    // messages could be published twice, so they are not published.
    if (this.#seen.makeRoom(this.#environment.clock()) === false) {
      this.miss();
      return messages.map(() => 0);
    }
    this.#seen.add(id, at, null);
    if (from !== null) this.passOn?.(from);
    // The gap event must precede the messages that follow the gap.
    if (this.#lacks === true) {
      this.#lacks = false;
      channels.miss();
    }
    return messages.map((message) => channels.publishLocally(message));
  }
}
