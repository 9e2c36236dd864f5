/**
 * The subscriptions of a client. They use one daemon; if the client loses it, they move to the next one. Each iterator
 * receives the address of the daemon, and an event for each gap. The first `subscribe` or `watch` loads this file.
 */
import { type ByteString, exactBytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import { writeFrame } from "../../protocol/frame.js";
import type { Reply } from "../../protocol/reply.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { bytesOfHex, HASH_BYTES, hexOf, SEQ_MAX, signedBytes } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import {
  type DaemonMessage,
  type EnvelopeDate,
  type EventMessage,
  type Hello,
  KNOWS_LISTEN,
  type ResultMessage,
  readSubscriberMessage,
  writeListen,
} from "../../protocol/version-2/messages-v2.js";
import type { EnvelopeOptions } from "../settings/header-options.js";
import { onAbort, removeAbortListener } from "../shared/abort-listeners.js";
import type { Environment, Timer } from "../shared/client-environment.js";
import { HALF_CHARACTER } from "../shared/command-labels.js";
import { Backoff } from "../shared/connections.js";
import { abortedCall, DbsyncError, type Stage } from "../shared/errors.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { Address } from "../shared/server-list.js";
import { ConnectionV2, type ConnectionV2Owner } from "../version-2/connection-v2.js";
import { clusterOrNoKey, disagreement, finalRefusal, isSigning } from "../version-2/signing-terms.js";
import {
  type ChannelEvent,
  type ChannelInput,
  EventQueue,
  type GapEvent,
  type KeyEvent,
  type KeyInput,
  type ListenOptions,
  type LiveEvent,
  type WatchEvent,
} from "./live-events.js";

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

  constructor(settings: ListeningOptions, environment: Environment, sealer: Sealer) {
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

function channelSubscription(channel: ChannelInput, { buffers = false }: ListenOptions): Subscription {
  if (typeof channel === "object" && channel !== null && "pattern" in channel) {
    const name = nameOf(channel.pattern, "a pattern");
    const read = ([what, pattern, from = "", text = ""]: readonly ByteString[]) =>
      what === "pmessage" && pattern === name
        ? ({
            type: "message",
            pattern: textOfBytes(name),
            channel: textOfBytes(from),
            text: shown(text, buffers),
          } as const)
        : null;
    return { word: "PSUBSCRIBE", name, db: 0, topic: topicOf(["pmessage", name]), read };
  }
  const isShard = typeof channel === "object" && channel !== null;
  const name = nameOf(isShard ? channel.shard : channel, "a channel");
  const read = ([what, from, text = ""]: readonly ByteString[]) =>
    what === (isShard ? "smessage" : "message") && from === name
      ? ({ type: "message", channel: textOfBytes(name), text: shown(text, buffers) } as const)
      : null;
  const topic = topicOf([isShard ? "smessage" : "message", name]);
  return { word: isShard ? "SSUBSCRIBE" : "SUBSCRIBE", name, db: 0, topic, read };
}

function keySubscription(
  key: KeyInput,
  { buffers = false, db }: ListenOptions & { readonly db: number },
): Subscription {
  if (!Number.isSafeInteger(db) || db < 0)
    throw new DbsyncError("bad-option", "db: the number of a database");
  const isPrefix = typeof key === "object" && key !== null && "prefix" in key;
  const name = nameOf(isPrefix ? key.prefix : key, isPrefix ? "a prefix" : "a key");
  const read = ([what, where, changed = ""]: readonly ByteString[]) => {
    if (!isOfKey(what) || Number(where) !== db) return null;
    if (isPrefix ? !changed.startsWith(name) : changed !== name) return null;
    return { type: what, db, key: shown(changed, buffers) } as const;
  };
  const topic = isPrefix ? null : topicOf(["changed", String(db), name]);
  return { word: isPrefix ? "WATCHPREFIX" : "WATCH", name, db, topic, read };
}

const isOfKey = (what: string | undefined): what is KeyEvent["type"] =>
  what === "changed" || what === "deleted" || what === "expired" || what === "evicted";

function nameOf(name: unknown, what: string): ByteString {
  if (name instanceof Uint8Array) return Buffer.from(name).toString("latin1");
  if (typeof name === "string") {
    const bytes = exactBytesOfText(name);
    if (bytes !== null) return bytes;
    throw new DbsyncError("bad-command", `${what} is ${HALF_CHARACTER}`);
  }
  throw new DbsyncError("bad-command", `expected ${what}, as text or bytes`);
}

const shown = (bytes: ByteString, buffers: boolean): string | Buffer =>
  buffers ? Buffer.from(bytes, "latin1") : textOfBytes(bytes);

/** The interval at which the client sends hellos, which the daemon answers. */
const HELLO_INTERVAL_MS = 5_000;
/** A daemon that is silent for this long counts as lost. */
const SILENT_MS = 12_000;
/** The maximum number of commands in one envelope. */
const REQUESTS_MAX = 1_000;

/** A subscription. */
export interface Subscription {
  /** The command, such as SUBSCRIBE. */
  readonly word: string;
  readonly name: ByteString;
  readonly db: number;
  /** The topic of its events, from `topicOf`, or null if the subscription checks every event. */
  readonly topic: string | null;
  /** Returns the event for the iterator, or null if it belongs to another subscription. */
  readonly read: (words: readonly ByteString[]) => LiveEvent | null;
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
  readonly #environment: Environment;
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

  constructor({ servers, cluster }: LiveOptions, environment: Environment, sealer: Sealer) {
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

/** Returns the topic of an event: its kind and its channel, or its database and key. */
export function topicOf([what = "", first = "", second = ""]: readonly ByteString[]): string {
  return what.endsWith("message") ? `${what} ${first}` : `key ${first} ${second}`;
}

/** A request to a daemon, and the handler of its reply. */
interface Request {
  readonly argv: readonly ByteString[];
  readonly answered: (reply: Reply) => void;
}

/**
 * The connection to the daemon that the client listens to. It sends hellos, because a hung daemon would otherwise look
 * like one without events.
 */
class LiveConnection implements ConnectionV2Owner<DaemonMessage | EventMessage> {
  readonly address: Address;
  readonly isSigned: boolean;
  readonly others = null;
  /** Whether the daemon has answered a request. */
  hasAnswered = false;
  readonly #environment: Environment;
  readonly #sealer: Sealer;
  readonly #live: Live;
  readonly #connection: ConnectionV2<DaemonMessage | EventMessage>;
  readonly #pending = new Map<ByteString, readonly Request[]>();
  #timer: Timer;
  #hello: Hello | null = null;
  /** The daemon's clock minus `now`. */
  #ahead = 0;
  #last: EnvelopeDate = { at: 0, seq: 0 };
  #receivedAt: number;
  /** Resolves when all earlier requests have been sent. It preserves their order, because signing is asynchronous. */
  #sent: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(address: Address, environment: Environment, sealer: Sealer, live: Live) {
    this.address = address;
    this.#environment = environment;
    this.#sealer = sealer;
    this.#live = live;
    this.#receivedAt = environment.now();
    this.isSigned = isSigning(sealer);
    this.#connection = new ConnectionV2<DaemonMessage | EventMessage>({
      address,
      environment,
      owner: this,
      trace: null,
      now: this.#receivedAt,
      read: readSubscriberMessage,
    });
    this.#timer = environment.setTimer(HELLO_INTERVAL_MS, this.#check);
  }

  get cluster(): ByteString {
    return this.#live.cluster;
  }

  /** Whether requests can be sent. */
  get isOpen(): boolean {
    return this.#hello !== null && !this.#isClosed;
  }

  /** Sends requests. The connection must be open. @param db  the database for all of them */
  request(requests: readonly Request[], db: number): void {
    for (let i = 0; i < requests.length; i += REQUESTS_MAX)
      this.#sendRequests(requests.slice(i, i + REQUESTS_MAX), db);
  }

  #sendRequests(requests: readonly Request[], db: number): void {
    const { daemon, cluster } = this.#hello as Hello;
    const { keyId: key } = this.#sealer;
    const header = {
      key,
      cluster: clusterOrNoKey(cluster),
      nonce: this.#sealer.nonce(),
      db,
      only: daemon,
      ...this.#date(),
    };
    const commands = requests.map(({ argv }) => writeCommand(argv));
    const body = writeBody(header, commands);
    const signed = signedBytes(body);
    const seal = this.#sealer.seal?.(signed) ?? null;
    if (seal !== null) this.#send(body, seal, requests);
    else
      this.#sent = Promise.all([this.#sealer.sealAsync(signed), this.#sent]).then(
        ([later]) => this.#send(body, later, requests),
        ({ message }: Error) => this.#lose(message),
      );
  }

  /** Closes the connection without notifying the owner. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer.cancel();
    this.#connection.close();
  }

  opened(): void {}

  receive(message: DaemonMessage | EventMessage): void {
    if (message.kind === "event") this.#live.receive(message.elements);
    else if (message.kind === "hello") this.#greeted(message);
    else if (message.kind === "result") this.#answered(message);
    else this.#lose(`${message.code}: ${message.sentence}`);
  }

  chunkEnded(now: number): void {
    this.#receivedAt = now;
  }

  disconnected(_stage: Stage, detail: string): void {
    this.#lose(detail || "closed");
  }

  #send(body: ByteString, { id, signature }: Seal, requests: readonly Request[]): void {
    if (this.#isClosed) return;
    this.#pending.set(id, requests);
    const frame = writeFrame(writeListen(body, signature.toString("latin1")), 2);
    this.#connection.write(Buffer.from(frame, "latin1"));
  }

  #date(): EnvelopeDate {
    const at = Math.max(this.#last.at, Math.floor(this.#environment.now() + this.#ahead));
    const seq = at > this.#last.at ? 0 : this.#last.seq + 1;
    this.#last = seq > SEQ_MAX ? { at: at + 1, seq: 0 } : { at, seq };
    return this.#last;
  }

  readonly #check = (): void => {
    if (this.#environment.now() - this.#receivedAt > SILENT_MS) {
      this.#lose(this.#hello === null ? "no answer" : "silent");
      return;
    }
    if (this.#hello !== null) this.#connection.greet();
    this.#timer = this.#environment.setTimer(HELLO_INTERVAL_MS, this.#check);
  };

  #greeted(hello: Hello): void {
    this.#ahead = hello.clock - this.#environment.now();
    if (this.#hello !== null) return;
    const { cluster } = this;
    const problem = disagreement(hello, this.isSigned);
    if (problem !== null) this.#lose(problem);
    else if (cluster !== "" && hello.cluster !== cluster)
      this.#lose(`it belongs to cluster ${hexOf(hello.cluster)}`);
    else if (!hello.knows.includes(KNOWS_LISTEN))
      this.#lose("it sends no events: its data is in a Redis or on other daemons");
    else {
      this.#hello = hello;
      this.#live.greeted(hello);
    }
  }

  #answered({ id, units, replies }: ResultMessage): void {
    const requests = this.#pending.get(id);
    if (requests?.length !== units) return;
    this.#pending.delete(id);
    this.hasAnswered = true;
    for (const { answered } of requests) {
      answered(replies.readReply());
      // Skip the flags, which are not used.
      replies.readBulk();
    }
  }

  #lose(detail: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#live.lost(detail);
  }
}
