/**
 * A client that can also subscribe to channels and watch keys. The first `subscribe` or `watch` loads the code for
 * this.
 */
import type { ListenedClient } from "./client.js";
import { FanOutClient } from "./fan-out-client.js";
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "./live/live-event.js";
import type { Listening } from "./live/subscription-requests.js";
import type { Settings } from "./settings/client-settings.js";
import { sealerOf } from "./settings/key-sealer.js";
import type { EnvelopeSigner } from "./settings/signing-key.js";
import type { Environment } from "./shared/client-environment.js";
import { deferredEvents } from "./shared/deferred-events.js";
import { DbsyncError } from "./shared/errors.js";

export class ListeningClient extends FanOutClient implements ListenedClient {
  readonly #settings: Settings;
  readonly #environment: Environment;
  readonly #signer: EnvelopeSigner | null;
  #listening: Promise<Listening> | null = null;
  #isClosed = false;

  constructor(...args: ConstructorParameters<typeof FanOutClient>) {
    super(...args);
    const [settings, environment, { signer }] = args;
    this.#settings = settings;
    this.#environment = environment;
    this.#signer = signer;
  }

  subscribe(channel: ChannelInput, options: ListenOptions = {}): AsyncIterableIterator<ChannelEvent> {
    return deferredEvents(this.#load().then((listening) => listening.subscribe(channel, options)));
  }

  watch(key: KeyInput, options: ListenOptions = {}): AsyncIterableIterator<WatchEvent> {
    return deferredEvents(this.#load().then((listening) => listening.watch(key, options)));
  }

  override closeWith(code: "closed" | "reset"): void {
    super.closeWith(code);
    this.#isClosed = true;
    this.#listening?.then((listening) => listening.close()).catch(() => {});
  }

  async #load(): Promise<Listening> {
    if (this.#isClosed) throw new DbsyncError("closed", "the client is closed");
    this.#listening ??= import("./live/subscription-requests.js").then(
      (module) => new module.Listening(this.#settings, this.#environment, sealerOf(this.#signer)),
    );
    return await this.#listening;
  }
}
