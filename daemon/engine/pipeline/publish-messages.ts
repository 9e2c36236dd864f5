/**
 * Publishes the messages of envelopes, which arrive from the signing client or from members. The ids of published
 * envelopes are remembered, so that each message is published only once. If there are too many ids, the earliest are
 * forgotten. No message of an envelope dated at or before a forgotten id is published.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { CommandMessage } from "../../../protocol/version-2/messages-v2.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { DateWindow } from "../../options/timeline-values.js";
import type { ChannelMessage, Channels } from "../channels/channels.js";
import { SeenEnvelopes } from "./seen-envelopes.js";

/** Minimum milliseconds between two gap events to subscribers. */
const MISSED_EVERY_MS = 1000;

export class Broadcasts {
  /** Forwards a client's envelope to the members. Null if there are none. */
  forwardToMembers: ((message: CommandMessage) => void) | null = null;
  readonly channels: Channels;
  readonly #environment: Environment;
  readonly #window: DateWindow;
  readonly #seen: SeenEnvelopes;
  /** Whether there was another gap since the last gap event, or null if the interval after that event is over. */
  #hasGap: boolean | null = null;

  /** @param max  maximum number of ids that are remembered */
  constructor({
    channels,
    environment,
    window,
    max,
  }: {
    readonly channels: Channels;
    readonly environment: Environment;
    readonly window: DateWindow;
    readonly max: number;
  }) {
    this.channels = channels;
    this.#environment = environment;
    this.#window = window;
    // Do not publish messages dated before this start, because the previous process may have published them.
    this.#seen = new SeenEnvelopes(environment.clock(), { max, maxBytes: 0 });
  }

  /** Returns whether an envelope was published, or may have been published and forgotten, according to its date. */
  isKnown(id: ByteString, at: number): boolean {
    const now = this.#environment.clock();
    this.#seen.forget(now, now - this.#window.past);
    return at <= this.#seen.floor || this.#seen.find(id, at) !== undefined;
  }

  /**
   * Returns whether this daemon remembers that it has published an envelope. Unlike `isKnown`, it ignores forgotten
   * envelopes.
   */
  wasPublished(id: ByteString, at: number): boolean {
    return this.#seen.find(id, at) !== undefined;
  }

  /**
   * Sends a gap event to all subscribers, because messages may be missing here. At most one event is sent per interval:
   * otherwise each message that cannot be published would cause a write to every subscriber. If there are further gaps,
   * another event follows after the interval.
   */
  miss(): void {
    if (this.#hasGap !== null) {
      this.#hasGap = true;
      return;
    }

    this.#hasGap = false;
    this.channels.miss();
    this.#environment.setTimer(MISSED_EVERY_MS, () => {
      const hasGap = this.#hasGap;
      this.#hasGap = null;
      if (hasGap === true) this.miss();
    });
  }

  /** Remembers the id of an envelope that this daemon has signed, whose messages it has already published. */
  note(id: ByteString, at: number): void {
    if (!this.isKnown(id, at) && this.#seen.makeRoom(this.#environment.clock()) !== false)
      this.#seen.add(id, at, null);
  }

  /**
   * Publishes the messages of an envelope, unless the envelope is known.
   * @param from  the client's envelope, which is forwarded, or null if it came from a member, or is only for this
   * daemon
   * @returns for each message the number of local subscribers that received it and, if it is forwarded, of the members'
   * subscribers. For a known envelope, whose messages are not published again, the number of subscribers that would
   * receive it now
   */
  publish(
    id: ByteString,
    at: number,
    messages: readonly ChannelMessage[],
    from: CommandMessage | null,
  ): readonly number[] {
    const { channels } = this;

    if (messages.length === 0) return [];
    const countForwarded = (message: ChannelMessage) =>
      from === null ? 0 : channels.countMemberReceivers(message);

    if (this.isKnown(id, at)) {
      if (!this.wasPublished(id, at)) this.miss();
      return messages.map((message) => channels.countLocalReceivers(message) + countForwarded(message));
    }

    // If no id can be forgotten, because all remembered ids belong to the current second, this id cannot be remembered.
    // Its messages could then be published twice, so they are not published at all.
    if (this.#seen.makeRoom(this.#environment.clock()) === false) {
      this.miss();
      return messages.map(() => 0);
    }

    this.#seen.add(id, at, null);
    if (from !== null) this.forwardToMembers?.(from);

    // Send a pending gap event first, because it must precede the messages after the gap.
    if (this.#hasGap === true) {
      this.#hasGap = false;
      channels.miss();
    }
    return messages.map((message) => channels.publishLocally(message) + countForwarded(message));
  }
}
