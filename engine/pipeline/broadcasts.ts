/**
 * Envelopes of messages, whoever brings them: the client that signed one, or a member that hands it on. Each is told once here. What
 * is forgotten lies at or below a floor, and is never told again.
 */

import type { Environment } from "../../net/process/environment.js";
import type { DateWindow } from "../../options/date-window.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { CommandMessage } from "../../protocol/version-2/messages-v2.js";
import type { Channels, Said } from "../channels/channels.js";
import { Seen } from "./seen.js";

/** Who listens is told at most so often that something may lack: milliseconds. */
const MISSED_EVERY_MS = 1000;

export class Broadcasts {
  /** Hands a client's envelope on to the members; null: there are none. */
  passOn: ((message: CommandMessage) => void) | null = null;
  readonly channels: Channels;
  readonly #environment: Environment;
  readonly #window: DateWindow;
  readonly #seen: Seen;
  /** Whether something lacks that is told a little later; null: what lacks is told at once. */
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
    // What was said before this start may have been told by the daemon that ran before.
    this.#seen = new Seen(environment.clock(), { most, mostBytes: 0 });
  }

  /** Whether an envelope has been told, or is dated so that it may have been. */
  isKnown(id: ByteString, at: number): boolean {
    const now = this.#environment.clock();
    this.#seen.forget(now, now - this.#window.past);
    return at <= this.#seen.floor || this.#seen.find(id, at) !== undefined;
  }

  /** Whether it is remembered that an envelope was told; of others that are known nobody knows. */
  wasTold(id: ByteString, at: number): boolean {
    return this.#seen.find(id, at) !== undefined;
  }

  /**
   * Tells who listens that something may have been said that is not heard here: at once, and of what lacks soon behind it once, however
   * often that is. A client or member that sends what cannot be told would else have each listener written to for each message.
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

  /** Remembers an envelope that was told as it was signed. */
  note(id: ByteString, at: number): void {
    if (!this.isKnown(id, at) && this.#seen.makeRoom(this.#environment.clock()) !== false)
      this.#seen.add(id, at, null);
  }

  /**
   * Tells the messages of an envelope, unless it is known.
   * @param from  the client's envelope, to be handed on; null: it came from a member, or is for this daemon alone
   * @returns for each how many have heard it here; of a known one, how many hear the channel now
   */
  tell(
    id: ByteString,
    at: number,
    messages: readonly Said[],
    from: CommandMessage | null,
  ): readonly number[] {
    const { channels } = this;
    if (messages.length === 0) return [];
    if (this.isKnown(id, at)) {
      if (!this.wasTold(id, at)) this.miss();
      return messages.map((said) => channels.hearersOf(said));
    }
    // As many as are remembered within one second: one that could be told twice is not told.
    if (this.#seen.makeRoom(this.#environment.clock()) === false) {
      this.miss();
      return messages.map(() => 0);
    }
    this.#seen.add(id, at, null);
    if (from !== null) this.passOn?.(from);
    // What lacks is told before what was said behind it.
    if (this.#lacks === true) {
      this.#lacks = false;
      channels.miss();
    }
    return messages.map((said) => channels.tell(said));
  }
}
