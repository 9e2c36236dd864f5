/** The messages to subscribers about changes of the named daemon: +sdown and +switch-master, as a Redis Sentinel sends them. */
import { SERVICE_EVERY_MS, type ServingDaemon } from "../../daemon/cluster/peers/shared/named-daemon.js";
import type { Channels } from "../../daemon/engine/channels/channels.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { SentinelState } from "./sentinel-answers.js";

/** The listener, as its messages describe it. */
interface Publisher extends Pick<SentinelState, "named" | "daemon" | "localHost"> {
  readonly channels: Channels;
  /** The names of the master for which changes are published. */
  readonly names: readonly ByteString[];
}

const NONE = "the sentinel names no daemon, because no connected one accepts writes";

export class SwitchMessages {
  readonly #server: Publisher;
  /** The named daemon at the last check, or null if there was none. */
  #current: ServingDaemon | null = null;
  /** The last daemon that was named, or null if none was. */
  #last: ServingDaemon | null = null;

  constructor(server: Publisher) {
    this.#server = server;
  }

  /** Publishes what has changed since the last call. */
  publish(): void {
    const { named } = this.#server;
    const { current } = named;
    const before = this.#current;
    this.#current = current;
    if (current?.id !== before?.id) this.#log(current);
    if (before !== null && before.id !== current?.id && named.ageOf(before.id) > 2 * SERVICE_EVERY_MS)
      this.#send("+sdown", (name) => `master ${name} ${this.#text(before)}`);
    if (current === null) return;
    const last = this.#last;
    this.#last = current;
    if (last === null || this.#text(last) === this.#text(current)) return;
    this.#send("+switch-master", (name) => `${name} ${this.#text(last)} ${this.#text(current)}`);
  }

  #log(current: ServingDaemon | null): void {
    const text =
      current === null
        ? NONE
        : `the sentinel names the daemon at ${this.#text(current).replace(/ (?=\d+$)/, ":")}`;
    this.#server.daemon.writeLog("info", text);
  }

  #text({ address }: ServingDaemon): ByteString {
    return `${address.host || this.#server.localHost} ${address.port}`;
  }

  #send(channel: ByteString, textOf: (name: ByteString) => ByteString): void {
    for (const name of this.#server.names)
      this.#server.channels.publishLocally({ kind: "channel", channel, text: textOf(name) });
  }
}
