/**
 * What a RESP server tells of keys that changed: a connection of our own, to which those of clients have their messages sent (CLIENT
 * TRACKING … REDIRECT). While there is none nothing is known of changes.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { RespReader } from "../../../protocol/resp/resp-reader.js";
import { type AwaitedReply, type LinkFailure, RespLink, type RespLinkParts } from "./resp-link.js";

const CHANNEL = "__redis__:invalidate";
const INVALIDATE = "invalidate";

export interface ChangedKeysParts extends Pick<RespLinkParts, "place" | "limits" | "environment" | "state"> {
  /** Messages can be sent to this client of the server. */
  readonly ready: (id: ByteString) => void;
  /** The server has no such messages. */
  readonly unknown: () => void;
  /** null: any key. */
  readonly changed: (keys: readonly ByteString[] | null) => void;
  /** Nothing is heard any more. */
  readonly lost: () => void;
}

export class ChangedKeys {
  readonly #parts: ChangedKeysParts;
  readonly #link: RespLink;
  #isRefused = false;
  #isSubscribed = false;
  #id: ByteString = "";
  #hasHeard = true;
  #cancelBeat: (() => void) | null = null;

  constructor(parts: ChangedKeysParts) {
    this.#parts = parts;
    this.#link = new RespLink({
      ...{ place: parts.place, limits: parts.limits, environment: parts.environment, state: parts.state },
      pushed: (push) => this.#hear(push),
      gone: () => {
        this.#cancelBeat?.();
        if (!this.#isRefused) parts.lost();
      },
    });
    this.#ask(["CLIENT", "ID"], (reply) => {
      this.#id = /^:(\d+)\r\n$/.exec(reply)?.[1] ?? "";
    });
    this.#ask(["SUBSCRIBE", CHANNEL], (reply) => this.#hear(reply));
    this.#beat();
  }

  close(): void {
    this.#isRefused = true;
    this.#link.close("closed");
  }

  /** The first that is heard is about the subscription itself; in RESP3 it is no answer to it. */
  #subscribed(reply: ByteString): void {
    this.#isSubscribed = true;
    if (this.#id !== "" && /^[*>]3\r\n/.test(reply)) this.#parts.ready(this.#id);
    else {
      this.close();
      this.#parts.unknown();
    }
  }

  #ask(argv: readonly ByteString[], answered: (reply: ByteString) => void): void {
    const awaited: AwaitedReply = { answered, failed(_: LinkFailure) {} };
    this.#link.send(argv, awaited);
  }

  /** Who hears nothing for long must know that it is still heard. */
  #beat(): void {
    const { environment, limits } = this.#parts;
    this.#cancelBeat = environment.setTimer(limits.heartbeatTimeout, () => {
      if (!this.#hasHeard) {
        this.#link.close("silent");
        return;
      }
      this.#hasHeard = false;
      this.#ask(["PING"], (reply) => this.#hear(reply));
      this.#beat();
    });
  }

  #hear(push: ByteString): void {
    this.#hasHeard = true;
    if (!this.#isSubscribed) this.#subscribed(push);
    else if (push.includes(INVALIDATE)) this.#parts.changed(keysIn(push));
  }
}

/** @param push  `message`, channel, keys of RESP2, or `invalidate`, keys of RESP3 @returns null: all keys */
function keysIn(push: ByteString): readonly ByteString[] | null {
  const message = Buffer.from(`*${push.slice(1).replace(/_\r\n$/, "*-1\r\n")}`, "latin1");
  try {
    const reply = new RespReader(message).readReply();
    const keys = reply.kind === "array" ? reply.items.at(-1) : undefined;
    if (keys?.kind !== "array") return null;
    return keys.items.flatMap((key) => (key.kind === "bulk" ? [key.bytes] : []));
  } catch {
    return null;
  }
}

/** Has the changes of keys that a connection reads told to that client. */
export const trackingFor = (id: ByteString): readonly ByteString[] => [
  ...["CLIENT", "TRACKING", "ON", "REDIRECT"],
  id,
];
