/**
 * Converts the arguments of `subscribe` and `watch` to requests to a daemon, and the daemon's events to iterator
 * events.
 */
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import type { EnvelopeOptions } from "../settings/header-options.js";
import { onAbort, removeAbortListener } from "../shared/abort-listeners.js";
import type { Environment } from "../shared/client-environment.js";
import { abortedCall, DbsyncError } from "../shared/errors.js";
import type { Sealer } from "../shared/sealer.js";
import { EventQueue } from "./event-queue.js";
import type {
  ChannelEvent,
  ChannelInput,
  KeyEvent,
  KeyInput,
  ListenOptions,
  WatchEvent,
} from "./live-event.js";
import { Live, type LiveOptions, nameBytes, type Subscription, topicOf } from "./subscriptions.js";

export interface ListeningOptions extends LiveOptions {
  readonly envelope: EnvelopeOptions | null;
}

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
  if (typeof name === "string" || name instanceof Uint8Array) return nameBytes(name);
  throw new DbsyncError("bad-command", `expected ${what}, as text or bytes`);
}

const shown = (bytes: ByteString, buffers: boolean): string | Buffer =>
  buffers ? Buffer.from(bytes, "latin1") : textOfBytes(bytes);
