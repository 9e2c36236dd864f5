/** A client that can listen as well: what that takes is loaded when somebody first does. */
import type { ListenedClient } from "./client.js";
import { FanOutClient } from "./fan-out-client.js";
import type { FanOutParts } from "./fan-out-parts.js";
import type { Listening } from "./live/listening.js";
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "./live/live-event.js";
import { KeySealer, UnsignedSealer } from "./settings/key-sealer.js";
import { comingEvents } from "./shared/coming-events.js";
import { DbsyncError } from "./shared/errors.js";

export class ListeningClient extends FanOutClient implements ListenedClient {
  readonly #parts: FanOutParts;
  #listening: Promise<Listening> | null = null;
  #isShut = false;

  constructor(parts: FanOutParts) {
    super(parts);
    this.#parts = parts;
  }

  subscribe(channel: ChannelInput, options: ListenOptions = {}): AsyncIterableIterator<ChannelEvent> {
    return comingEvents(this.#load().then((listening) => listening.subscribe(channel, options)));
  }

  watch(key: KeyInput, options: ListenOptions = {}): AsyncIterableIterator<WatchEvent> {
    return comingEvents(this.#load().then((listening) => listening.watch(key, options)));
  }

  override shut(code: "closed" | "reset"): void {
    super.shut(code);
    this.#isShut = true;
    this.#listening?.then((listening) => listening.close()).catch(() => {});
  }

  async #load(): Promise<Listening> {
    const { settings, environment, signer = null } = this.#parts;
    if (this.#isShut) throw new DbsyncError("closed", "it listens no more");
    const sealer = signer === null ? new UnsignedSealer() : new KeySealer(signer);
    this.#listening ??= import("./live/listening.js").then(
      (module) => new module.Listening(settings, environment, sealer),
    );
    return await this.#listening;
  }
}
