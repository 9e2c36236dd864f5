/**
 * Publishes the messages of envelopes, each once, whether the client that signed it sent it or a member that passed it
 * on. An id that was forgotten lies at or below a floor; its message is never published again.
 */

import type { Environment } from "../../net/process/environment.js";
import type { DateWindow } from "../../options/date-window.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { CommandMessage } from "../../protocol/version-2/messages-v2.js";
import type { Channels, Said } from "../channels/channels.js";
import { Seen } from "./seen.js";

/** Minimum milliseconds between two gap events to the subscribers. */
const MISSED_EVERY_MS = 1000;

export class Broadcasts {
  /** Passes a client's envelope on to the members; null: there are none. */
  passOn: ((message: CommandMessage) => void) | null = null;
  readonly channels: Channels;
  readonly #environment: Environment;
  readonly #window: DateWindow;
  readonly #seen: Seen;
  /** Whether a further gap event is pending; null: the next one is sent immediately. */
  #lacks: boolean | null = null;

  /** @param most  how many ids are remembered */
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
    // The daemon that ran before may have published what is dated before this start.
    this.#seen = new Seen(environment.clock(), { most, mostBytes: 0 });
  }

  /** Returns whether an envelope was published, or is dated so that it may have been. */
  isKnown(id: ByteString, at: number): boolean {
    const now = this.#environment.clock();
    this.#seen.forget(now, now - this.#window.past);
    return at <= this.#seen.floor || this.#seen.find(id, at) !== undefined;
  }

  /** Returns whether this daemon remembers that it published an envelope; `isKnown` also covers forgotten ones. */
  wasPublished(id: ByteString, at: number): boolean {
    return this.#seen.find(id, at) !== undefined;
  }

  /**
   * Sends a gap event to all subscribers: messages may be missing here. It is sent immediately, and again after the
   * interval if there were further gaps, however many. Otherwise a client or member whose messages cannot be published
   * would cause a write to each subscriber for each of them.
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

  /** Remembers an envelope that was published as it was signed. */
  note(id: ByteString, at: number): void {
    if (!this.isKnown(id, at) && this.#seen.makeRoom(this.#environment.clock()) !== false)
      this.#seen.add(id, at, null);
  }

  /**
   * Publishes the messages of an envelope, unless it is known.
   * @param from  the client's envelope, to be passed on; null: it came from a member, or is for this daemon alone
   * @returns for each message how many subscribers received it here; of a known one, how many the channel has now
   */
  publish(
    id: ByteString,
    at: number,
    messages: readonly Said[],
    from: CommandMessage | null,
  ): readonly number[] {
    const { channels } = this;
    if (messages.length === 0) return [];
    if (this.isKnown(id, at)) {
      if (!this.wasPublished(id, at)) this.miss();
      return messages.map((said) => channels.hearersOf(said));
    }
    // All ids that fit are of this second: a message that might be published twice is not published.
    if (this.#seen.makeRoom(this.#environment.clock()) === false) {
      this.miss();
      return messages.map(() => 0);
    }
    this.#seen.add(id, at, null);
    if (from !== null) this.passOn?.(from);
    // The gap event comes before the messages that follow the gap.
    if (this.#lacks === true) {
      this.#lacks = false;
      channels.miss();
    }
    return messages.map((said) => channels.tell(said));
  }
}
