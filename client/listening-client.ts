/** A client that can listen as well: what that takes is loaded when somebody first does. */
import type { Client } from "./client.js";
import { FanOutClient } from "./fan-out-client.js";
import type { FanOutParts } from "./fan-out-parts.js";
import type { Listening } from "./live/listening.js";
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "./live/live-event.js";
import { KeySealer } from "./settings/key-sealer.js";
import { DbsyncError } from "./shared/errors.js";

export class ListeningClient extends FanOutClient implements Client {
  readonly #parts: FanOutParts;
  #listening: Promise<Listening> | null = null;
  #isShut = false;

  constructor(parts: FanOutParts) {
    super(parts);
    this.#parts = parts;
  }

  subscribe(channel: ChannelInput, options: ListenOptions = {}): AsyncIterableIterator<ChannelEvent> {
    return this.#later((listening) => listening.subscribe(channel, options));
  }

  watch(key: KeyInput, options: ListenOptions = {}): AsyncIterableIterator<WatchEvent> {
    return this.#later((listening) => listening.watch(key, options));
  }

  override shut(code: "closed" | "reset"): void {
    super.shut(code);
    this.#isShut = true;
    this.#listening?.then((listening) => listening.close()).catch(() => {});
  }

  #later<Event>(begin: (listening: Listening) => AsyncIterableIterator<Event>): AsyncIterableIterator<Event> {
    const events = this.#load().then(begin);
    // Whoever takes the first event is told.
    events.catch(() => {});
    const iterator: AsyncIterableIterator<Event> = {
      next: async () => await (await events).next(),
      return: async () => (await (await events).return?.()) ?? { value: undefined, done: true },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  async #load(): Promise<Listening> {
    const { settings, environment, signer = null } = this.#parts;
    if (this.#isShut) throw new DbsyncError("closed", "it listens no more");
    if (signer === null)
      throw new DbsyncError("bad-command", "who listens signs what it asks for: give the option key");
    this.#listening ??= import("./live/listening.js").then(
      (module) => new module.Listening({ settings, environment, sealer: new KeySealer(signer) }),
    );
    return await this.#listening;
  }
}
