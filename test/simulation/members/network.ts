/**
 * The network between daemons: it loses, doubles, delays and reorders messages, and links can be cut in one or both
 * directions.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { SeededRandom } from "../../support/seeded-random.js";
import { DAEMONS_MAX, type Settings } from "./settings.js";

export interface Status {
  readonly kind: "status";
  readonly clock: number;
  readonly isSkewed: boolean;
  readonly isLive: boolean;
  readonly watermark: number;
  /** The envelopes that the sender claims to hold. */
  readonly held: number;
  /** The hash of the list in force at the sender, which is on its disk, or null if there is none. */
  readonly list: ByteString | null;
  /** Whether the message is also a report. */
  readonly isReport: boolean;
}

/**
 * The body of a message. A pull names the list that the other member used when the sender last received its status;
 * the reply repeats the name.
 */
export type Body =
  | Status
  | { readonly kind: "push"; readonly envelopes: number }
  | { readonly kind: "pull"; readonly held: number; readonly under: ByteString | null }
  | {
      readonly kind: "entries";
      readonly envelopes: number;
      /** Envelopes whose bodies the sender has dropped. */
      readonly dropped: number;
      readonly under: ByteString | null;
      /** Envelopes that both daemons hold after this message. */
      readonly all: number;
      readonly isAll: boolean;
    };

export interface Message {
  readonly from: number;
  readonly to: number;
  readonly sentAt: number;
  /** Lists that are on the sender's disk. */
  readonly lists: number;
  readonly body: Body;
}

/** Maximum ticks of a late message. */
const LATE_MAX = 14;

export class Network {
  readonly #random: SeededRandom;
  readonly #settings: Settings;
  /** Messages by tick of arrival. */
  readonly #waiting = new Map<number, Message[]>();
  readonly #cut = new Set<number>();

  constructor(random: SeededRandom, settings: Settings) {
    this.#random = random;
    this.#settings = settings;
  }

  /** Sends a message. @param tick  the current tick */
  send(tick: number, message: Message): void {
    const { loss, doubling } = this.#settings;
    const random = this.#random;
    if (random.chance(loss) || this.#cut.has(message.from * DAEMONS_MAX + message.to)) return;
    this.#put(tick, message);
    if (doubling > 0 && random.chance(doubling)) this.#put(tick, message);
  }

  take(tick: number): readonly Message[] {
    const messages = this.#waiting.get(tick);
    if (messages === undefined) return [];
    this.#waiting.delete(tick);
    return this.#random.shuffled(messages);
  }

  cut(from: number, to: number): void {
    this.#cut.add(from * DAEMONS_MAX + to);
  }

  repair(): void {
    this.#cut.clear();
  }

  #put(tick: number, message: Message): void {
    const { delay, late } = this.#settings;
    const random = this.#random;
    const at = tick + 1 + random.below(late > 0 && random.chance(late) ? LATE_MAX : delay);
    const messages = this.#waiting.get(at);
    if (messages === undefined) this.#waiting.set(at, [message]);
    else messages.push(message);
  }
}
