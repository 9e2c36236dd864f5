/** Messages between daemons: lost, doubled, late, in any order, and cut off one way or both. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { SeededRandom } from "../../support/seeded-random.js";
import { DAEMONS_MOST, type Settings } from "./settings.js";

export interface Status {
  readonly kind: "status";
  readonly clock: number;
  readonly isSkewed: boolean;
  readonly isLive: boolean;
  readonly watermark: number;
  /** Envelopes that it holds, as it tells. */
  readonly held: number;
  /** The hash of the list in force there, which is on its disk; null: there is none. */
  readonly list: ByteString | null;
  /** Whether it is a report as well. */
  readonly isReport: boolean;
}

/** Number of a list that the one who pulls has heard the other speak under goes there and back. */
export type Body =
  | Status
  | { readonly kind: "push"; readonly envelopes: number }
  | { readonly kind: "pull"; readonly held: number; readonly under: ByteString | null }
  | {
      readonly kind: "give";
      readonly envelopes: number;
      /** What it has no bodies of any more. */
      readonly gone: number;
      readonly under: ByteString | null;
      /** What is held by both then. */
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

/** Of what is late. */
const LATE_MOST = 14;

export class Network {
  readonly #random: SeededRandom;
  readonly #settings: Settings;
  /** By tick. */
  readonly #waiting = new Map<number, Message[]>();
  readonly #cut = new Set<number>();

  constructor(random: SeededRandom, settings: Settings) {
    this.#random = random;
    this.#settings = settings;
  }

  /** @param tick  now */
  send(tick: number, message: Message): void {
    const { loss, doubling } = this.#settings;
    const random = this.#random;
    if (random.chance(loss) || this.#cut.has(message.from * DAEMONS_MOST + message.to)) return;
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
    this.#cut.add(from * DAEMONS_MOST + to);
  }

  mend(): void {
    this.#cut.clear();
  }

  #put(tick: number, message: Message): void {
    const { delay, late } = this.#settings;
    const random = this.#random;
    const at = tick + 1 + random.below(late > 0 && random.chance(late) ? LATE_MOST : delay);
    const messages = this.#waiting.get(at);
    if (messages === undefined) this.#waiting.set(at, [message]);
    else messages.push(message);
  }
}
