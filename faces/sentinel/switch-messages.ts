/**
 * The messages to subscribers about changes of the named daemon: +sdown and +switch-master, as a Redis Sentinel sends
 * them.
 */
import { SERVICE_EVERY_MS, type ServingDaemon } from "../../daemon/cluster/peers/shared/named-daemon.js";
import type { Channels } from "../../daemon/engine/channels/channels.js";
import { formatHost } from "../../daemon/net/process/host-and-port.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { SentinelState } from "./sentinel-answers.js";

/** The listener, as its messages describe it. */
interface Publisher extends Pick<SentinelState, "named" | "daemon"> {
  /** The channels, by this machine's address as their subscribers have reached it. */
  readonly channels: readonly (readonly [host: string, channels: Channels])[];
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
      this.#send("+sdown", (name, host) => `master ${name} ${textOf(before, host)}`);
    if (current === null) return;

    const last = this.#last;
    this.#last = current;
    if (last === null) return;

    this.#send("+switch-master", (name, host) => {
      const [from, to] = [textOf(last, host), textOf(current, host)];
      return from === to ? null : `${name} ${from} ${to}`;
    });
  }

  #log(current: ServingDaemon | null): void {
    this.#server.daemon.writeLog("info", current === null ? NONE : sentenceOf(current.address));
  }

  /**
   * @param messageOf  returns the message for a name and for subscribers that have reached this machine at an address
   */
  #send(channel: ByteString, messageOf: (name: ByteString, host: string) => ByteString | null): void {
    const { names } = this.#server;
    for (const [host, channels] of this.#server.channels)
      for (const name of names) {
        const text = messageOf(name, host);
        if (text !== null) channels.publishLocally({ kind: "channel", channel, text });
      }
  }
}

const sentenceOf = ({ host, port }: ServingDaemon["address"]) =>
  host === ""
    ? `the sentinel names this daemon, port ${port} of all its addresses`
    : `the sentinel names the daemon at ${formatHost({ host, port })}`;

const textOf = ({ address }: ServingDaemon, host: string): ByteString =>
  `${address.host || host} ${address.port}`;
