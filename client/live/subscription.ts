/** A subscription: the request for it that a daemon receives, and how its events are recognized and converted. */
import { type ByteString, exactBytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import { HALF_CHARACTER } from "../shared/command-labels.js";
import { DbsyncError } from "../shared/errors.js";
import type { ChannelInput, KeyEvent, KeyInput, ListenOptions, LiveEvent } from "./live-events.js";

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

export function channelSubscription(channel: ChannelInput, { buffers = false }: ListenOptions): Subscription {
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

export function keySubscription(
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

/** Returns the topic of an event: its kind and its channel, or its database and key. */
export function topicOf([what = "", first = "", second = ""]: readonly ByteString[]): string {
  return what.endsWith("message") ? `${what} ${first}` : `key ${first} ${second}`;
}
