/**
 * What all connections of --sentinel share: the answers, the channels, and the check whether the named daemon has
 * changed.
 */
import type { NamedDaemon } from "../../daemon/cluster/peers/shared/named-daemon.js";
import { Channels } from "../../daemon/engine/channels/channels.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { ShortStrings } from "../../protocol/resp/resp-reader.js";
import type { DaemonInterface } from "../users/daemon-interface.js";
import type { UserSocketHost } from "../users/user-listener.js";
import { NAME_BYTES_MAX } from "./options.js";
import { SentinelAnswers, type SentinelState } from "./sentinel-answers.js";
import { SwitchMessages } from "./switch-messages.js";

/** Milliseconds between two checks of the named daemon. */
const CHECK_EVERY_MS = 100;
/** The name of the master in lists if --sentinel-name is not set. It is the one of Redis's documentation. */
const NAME_DEFAULT = "mymaster";
/** The maximum number of names for which changes are published; of further names that clients use, the newest. */
const NAMES_MAX = 16;

export class SentinelServer implements SentinelState {
  readonly host: UserSocketHost;
  readonly daemon: DaemonInterface;
  readonly named: NamedDaemon;
  readonly answers: SentinelAnswers;
  readonly strings = new ShortStrings();
  readonly startedAt: number;
  commands = 0;
  accepted = 0;
  readonly #messages: SwitchMessages;
  /**
   * The channels of this listener, which are separate from those of the data, by this machine's address as clients have
   * reached it: messages contain the address that their receiver can use.
   */
  readonly #channels = new Map<string, { readonly channels: Channels; connections: number }>();
  /** The names that clients have used, from the oldest to the newest. */
  readonly #names = new Set<ByteString>();
  #usersGeneration: number;
  #cancel: () => void = () => {};

  constructor(host: UserSocketHost, daemon: DaemonInterface) {
    this.host = host;
    this.daemon = daemon;
    if (daemon.named === null) throw new Error("a daemon with listeners for users can name a daemon");
    this.named = daemon.named;
    this.startedAt = host.environment.uptime();
    this.#usersGeneration = host.users.generation;
    this.answers = new SentinelAnswers(this);
    this.#messages = new SwitchMessages(this);
  }

  /** The name of the master in lists. */
  get listedName(): ByteString {
    return this.daemon.settings.sentinelName ?? NAME_DEFAULT;
  }

  /** The names for which changes are published. */
  get names(): readonly ByteString[] {
    return [...new Set([this.listedName, ...this.#names])];
  }

  /** Returns whether the sentinel knows a master by this name. Remembers the name for messages. */
  knows(name: ByteString): boolean {
    const { sentinelName } = this.daemon.settings;
    if (sentinelName !== null) return name === sentinelName;
    if (name.length > NAME_BYTES_MAX || !/^[!-~]+$/.test(name)) return true;
    this.#names.delete(name);
    this.#names.add(name);
    const [oldest] = this.#names;
    if (this.#names.size > NAMES_MAX && oldest !== undefined) this.#names.delete(oldest);
    return true;
  }

  /** The channels, by this machine's address as their subscribers have reached it. */
  get channels(): readonly (readonly [host: string, channels: Channels])[] {
    return [...this.#channels].map(([host, { channels }]) => [host, channels]);
  }

  /** Returns the channels of a new connection. @param host  this machine's address as the client has reached it */
  connected(host: string): Channels {
    const entry = this.#channels.get(host) ?? { channels: new Channels(), connections: 0 };
    entry.connections++;
    this.#channels.set(host, entry);
    return entry.channels;
  }

  disconnected(host: string): void {
    const entry = this.#channels.get(host);
    if (entry !== undefined && --entry.connections === 0) this.#channels.delete(host);
  }

  start(): void {
    this.#check();
  }

  stop(): void {
    this.#cancel();
  }

  readonly #check = (): void => {
    const { users, environment } = this.host;
    this.named.update();
    this.#messages.publish();
    if (users.generation !== this.#usersGeneration)
      for (const [, channels] of this.channels) channels.review();
    this.#usersGeneration = users.generation;
    this.#cancel = environment.setTimer(CHECK_EVERY_MS, this.#check);
  };
}
