/**
 * The subscriptions of a client. They use one daemon; if the client loses it, they move to the next one. Each iterator
 * receives the address of the daemon, and an event for each gap. The first `subscribe` or `watch` loads this file.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { bytesOfHex, HASH_BYTES } from "../../protocol/version-2/envelope.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { EnvelopeOptions } from "../settings/header-options.js";
import { onAbort, removeAbortListener } from "../shared/abort-listeners.js";
import type { ClientEnvironment, Timer } from "../shared/client-environment.js";
import { Backoff } from "../shared/connections.js";
import { abortedCall, DbsyncError } from "../shared/errors.js";
import type { Sealer } from "../shared/sealer.js";
import type { Address } from "../shared/server-list.js";
import { finalRefusal, isSigning } from "../version-2/signing-terms.js";
import { LiveConnection, type Request } from "./live-connection.js";
import {
  type ChannelEvent,
  type ChannelInput,
  EventQueue,
  type GapEvent,
  type KeyInput,
  type ListenOptions,
  type LiveEvent,
  type WatchEvent,
} from "./live-events.js";
import { channelSubscription, keySubscription, type Subscription, topicOf } from "./subscription.js";

export interface ListeningOptions extends LiveOptions {
  readonly envelope: EnvelopeOptions | null;
}

/**
 * The converter of the arguments of `subscribe` and `watch` to requests to a daemon, and the daemon's events to
 * iterator events.
 */
export class Listening {
  readonly #live: Live;
  /** The client's default database. */
  readonly #db: number;

  constructor(settings: ListeningOptions, environment: ClientEnvironment, sealer: Sealer) {
    this.#live = new Live(settings, environment, sealer);
    this.#db = settings.envelope?.db ?? 0;
  }

  subscribe(channel: ChannelInput, options: ListenOptions): AsyncIterableIterator<ChannelEvent> {
    return this.#listen<ChannelEvent>(channelSubscription(channel, options), options.signal);
  }

  watch(key: KeyInput, options: ListenOptions): AsyncIterableIterator<WatchEvent> {
    const subscription = keySubscription(key, { ...options, db: options.db ?? this.#db });
    return this.#listen<WatchEvent>(subscription, options.signal);
  }

  close(): void {
    this.#live.close();
  }

  #listen<Event extends ChannelEvent | WatchEvent>(
    subscription: Subscription,
    signal: AbortSignal | undefined,
  ): EventQueue<Event> {
    if (signal?.aborted) throw abortedCall(signal, "");

    const queue = new EventQueue<Event>((left) => {
      if (signal !== undefined) removeAbortListener(signal, aborted);
      this.#live.forget(left);
    });
    const aborted = () => {
      removeAbortListener(signal as AbortSignal, aborted);
      queue.fail(abortedCall(signal as AbortSignal, ""));
      this.#live.forget(queue);
    };

    if (signal !== undefined) onAbort(signal, aborted);
    this.#live.listen(subscription, queue);
    return queue;
  }
}

interface Listener extends Subscription {
  readonly queue: EventQueue<LiveEvent>;
}

/** The servers to listen to, and their cluster as hexadecimal digits, or "" to accept any cluster. */
export interface LiveOptions {
  readonly servers: readonly Address[];
  readonly cluster: string;
}

export class Live {
  /** The cluster's id, 32 bytes, or empty for any cluster. */
  cluster: ByteString;
  readonly #servers: readonly Address[];
  readonly #environment: ClientEnvironment;
  readonly #sealer: Sealer;
  readonly #listeners = new Set<Listener>();
  /** The subscriptions by topic. */
  readonly #byTopic = new Map<string | null, Set<Listener>>();
  #connection: LiveConnection | null = null;
  /** The index of the server to try next. */
  #next = 0;
  /** The number of servers that could not be reached in this round through the list. */
  #failures = 0;
  /** Whether all iterators have received the current gap. */
  #hasReportedLoss = false;
  readonly #backoff = new Backoff();
  #timer: Timer | null = null;

  constructor({ servers, cluster }: LiveOptions, environment: ClientEnvironment, sealer: Sealer) {
    this.#servers = servers;
    this.#environment = environment;
    this.#sealer = sealer;
    this.cluster = isSigning(sealer) ? (bytesOfHex(cluster, HASH_BYTES) ?? "") : "";
  }

  listen<Event extends LiveEvent>(subscription: Subscription, queue: EventQueue<Event>): void {
    const listener: Listener = { ...subscription, queue: queue as unknown as EventQueue<LiveEvent> };
    this.#listeners.add(listener);
    const others = this.#byTopic.get(listener.topic);
    if (others === undefined) this.#byTopic.set(listener.topic, new Set([listener]));
    else others.add(listener);
    this.#hasReportedLoss = false;
    if (this.#connection?.isOpen) this.#request([listener], this.#connection);
    else this.#connect();
  }

  forget(queue: object): void {
    for (const listener of this.#listeners) {
      if (listener.queue !== queue) continue;
      this.#remove(listener);
      this.#unsubscribe(listener);
    }
    if (this.#listeners.size === 0) this.#stop();
  }

  /** Ends all iterators. */
  close(): void {
    this.#failAll(new DbsyncError("closed", "the client is closed"));
  }

  greeted({ cluster }: Hello): void {
    this.cluster = cluster;
    this.#request([...this.#listeners], this.#connection as LiveConnection);
  }

  receive(words: readonly ByteString[]): void {
    const [what, reason] = words;
    if (what !== "gap") {
      for (const topic of [topicOf(words), null])
        for (const { read, queue } of this.#byTopic.get(topic) ?? []) {
          const event = read(words);
          if (event !== null) queue.push(event);
        }
      return;
    }

    const isOfKeys = reason === "keys";
    const detail = isOfKeys ? "all keys may have changed" : "messages of other daemons may be missing";
    const gap = this.#gap(isOfKeys ? "keys" : "members", detail);
    for (const { word, queue } of this.#listeners) if (isOfKeys === word.startsWith("WATCH")) queue.push(gap);
  }

  lost(detail: string): void {
    const servers = this.#servers;
    const gap = this.#gap("lost", detail);

    const failed = this.#connection as LiveConnection;
    // A daemon that sends a hello and then refuses requests counts as unreachable.
    const wasOpen = failed.hasAnswered;
    this.#connection = null;
    this.#next = (servers.indexOf(failed.address) + 1) % servers.length;
    if (!wasOpen) this.#failures++;

    // Give up if all servers have been tried and this server's reason for its refusal is permanent.
    const refusal = this.#failures >= servers.length ? finalRefusal(detail, failed.address.text) : null;
    if (refusal !== null) {
      this.#failAll(refusal);
      return;
    }

    if (wasOpen || this.#failures >= servers.length) this.#reportLoss(gap);
    this.#connectLater(detail);
  }

  /** Reports a gap to all iterators, once for several failed attempts. */
  #reportLoss(gap: GapEvent): void {
    if (this.#hasReportedLoss) return;
    this.#hasReportedLoss = true;
    for (const { queue } of this.#listeners) queue.push(gap);
  }

  /** Connects to the next server: immediately, or after a delay if all servers have been tried. */
  #connectLater(detail: string): void {
    const servers = this.#servers;
    if (this.#failures < servers.length) {
      this.#connect();
      return;
    }

    this.#failures = 0;
    const environment = this.#environment;
    this.#backoff.failed({ stage: "connect", detail }, environment.now(), environment.random());
    this.#timer?.cancel();
    this.#timer = environment.setTimer(this.#backoff.wait(environment.now()), () => {
      this.#timer = null;
      this.#connect();
    });
  }

  #connect(): void {
    if (this.#listeners.size === 0 || this.#connection !== null || this.#timer !== null) return;
    const address = this.#servers[this.#next] as Address;
    this.#connection = new LiveConnection(address, this.#environment, this.#sealer, this);
  }

  #request(listeners: readonly Listener[], connection: LiveConnection): void {
    const byDb = new Map<number, Request[]>();
    for (const listener of listeners) {
      const { word, name, db } = listener;
      const answered = (reply: Reply) => this.#answered(listener, reply, connection);
      const requests = byDb.get(db) ?? [];
      requests.push({ argv: [word, name], answered });
      byDb.set(db, requests);
    }
    for (const [db, requests] of byDb) connection.request(requests, db);
  }

  #failAll(error: DbsyncError): void {
    for (const { queue } of this.#listeners) queue.fail(error);
    this.#listeners.clear();
    this.#byTopic.clear();
    this.#failures = 0;
    this.#stop();
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    const others = this.#byTopic.get(listener.topic);
    others?.delete(listener);
    if (others?.size === 0) this.#byTopic.delete(listener.topic);
  }

  #answered(listener: Listener, reply: Reply, { address }: LiveConnection): void {
    this.#failures = 0;
    this.#hasReportedLoss = false;
    this.#backoff.succeeded();

    if (!this.#listeners.has(listener)) return;
    if (reply.kind !== "error") {
      listener.queue.push({ type: "open", server: address.text });
      return;
    }

    this.#remove(listener);
    listener.queue.fail(
      new DbsyncError("reply", `${address.text}: ${reply.text}`, { command: listener.word }),
    );
    if (this.#listeners.size === 0) this.#stop();
  }

  #unsubscribe({ word, name, db }: Listener): void {
    const isWanted = [...this.#listeners].some(
      (other) => other.word === word && other.name === name && other.db === db,
    );
    if (isWanted || this.#listeners.size === 0 || !this.#connection?.isOpen) return;
    const opposite = word.replace(/^([PS]?)(SUBSCRIBE|WATCH)/, "$1UN$2");
    this.#connection.request([{ argv: [opposite, name], answered: () => {} }], db);
  }

  #gap(reason: GapEvent["reason"], detail: string): GapEvent {
    return { type: "gap", reason, server: this.#connection?.address.text ?? "", detail };
  }

  #stop(): void {
    this.#connection?.close();
    this.#connection = null;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
