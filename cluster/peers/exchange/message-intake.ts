/**
 * Messages from a member: checked in order, in slices, and delivered or refused. Messages that the member has
 * left out, or that arrive faster than they can be checked, are known to be missing.
 */

import { Queue } from "../../../net/process/queue.js";
import type { Work } from "../../../net/process/turns.js";
import type { SpeakMessage } from "../../../protocol/members/member-messages.js";
import { type PackedEntry, packedBytes, readEntries } from "../../../protocol/members/member-packing.js";
import type { ClusterState } from "../shared/cluster-state.js";
import type { MessageFigures } from "../shared/message-figures.js";

/** The member that sends the messages. */
export interface Speaker {
  malformed(detail: string): void;
  /** Checking a message threw an exception. */
  failed(problem: unknown): void;
  /** One is not delivered. @param isLie  no honest member would send it */
  onUnheard(reason: string, isLie: boolean): void;
}

/** Messages that are checked between two looks at the clock; some take a tenth of a millisecond each. */
const JUDGED_A_LOOK = 8;
/**
 * After a key that did not come, no key is waited for during that many times as long: the member's other messages
 * would wait.
 */
const WAITS_OFF = 15;

export class MessageIntake {
  readonly #cluster: ClusterState;
  readonly #messages: NonNullable<ClusterState["messages"]>;
  readonly #figures: MessageFigures;
  readonly #speaker: Speaker;
  readonly #waiting = new Queue<PackedEntry>();
  #bytes = 0;
  #next = 1;
  #isJudging = false;
  /** Whether it has reported that from here on it sends all that it can. */
  #hasBegun = false;
  /** Whether one was refused that may have been delivered elsewhere, which is not reported yet. */
  #isMissing = false;
  /** When the first message began to wait for its signer's key; `uptime` milliseconds; null: it does not. */
  #stuckSince: number | null = null;
  /** The time from which a key is waited for again; `uptime` milliseconds. */
  #waitsFrom = 0;

  constructor(cluster: ClusterState, messages: NonNullable<ClusterState["messages"]>, speaker: Speaker) {
    this.#cluster = cluster;
    this.#messages = messages;
    this.#figures = cluster.messageFigures;
    this.#speaker = speaker;
  }

  receive({ number, entries: packed }: SpeakMessage): void {
    const { limits } = this.#cluster;
    const entries = readEntries(packed);
    if (entries === null || number < this.#next) {
      this.#speaker.malformed(`message ${number} where ${this.#next} was expected`);
      return;
    }
    let lacking = number - this.#next;
    this.#next = number + entries.length;
    for (const entry of entries) {
      const bytes = packedBytes(entry);
      if (this.#bytes + bytes > limits.relayBytes) {
        lacking++;
        continue;
      }
      this.#bytes += bytes;
      this.#waiting.push(entry);
    }
    this.#figures.missed += lacking;
    if (lacking > 0 || !this.#hasBegun) this.#messages.missed();
    this.#hasBegun = true;
    // What waits for a key is tried again by the tick, not as often as its member sends something.
    if (this.#stuckSince === null) this.#judge();
  }

  /** Tries again what waits for a key. */
  tick(): void {
    if (this.#stuckSince !== null) this.#judge();
  }

  #judge(): void {
    if (this.#isJudging || this.#waiting.size === 0) return;
    this.#isJudging = true;
    this.#cluster.slices.add(this.#judging());
  }

  *#judging(): Work {
    for (let count = 1; this.#waiting.first !== undefined; count++) {
      if (!this.#tryOne(this.#waiting.first)) break;
      this.#bytes -= packedBytes(this.#waiting.shift() as PackedEntry);
      if (count % JUDGED_A_LOOK !== 0) continue;
      this.#reportMissing();
      yield;
    }
    this.#reportMissing();
    this.#isJudging = false;
  }

  #reportMissing(): void {
    if (this.#isMissing) this.#messages.missed();
    this.#isMissing = false;
  }

  /** @returns false: checking stops here */
  #tryOne(entry: PackedEntry): boolean {
    try {
      return this.#judgeOne(entry);
    } catch (problem) {
      this.#speaker.failed(problem);
      return false;
    }
  }

  /** @returns false: it waits, and so does what follows it */
  #judgeOne({ body, signature }: PackedEntry): boolean {
    const figures = this.#figures;
    const heard = this.#messages.hear(body, signature);
    if (heard === "unknown-signer" && this.#waitsForKey()) return false;
    this.#stuckSince = null;
    if (heard === "delivered") figures.heard++;
    else if (heard !== "known") {
      const { refused: reason, isLie } =
        heard === "unknown-signer" ? { refused: heard, isLie: false } : heard;
      figures.refused++;
      // Too late, for example, or by a key that this daemon does not know: other daemons may have delivered it.
      this.#isMissing ||= !isLie;
      this.#speaker.onUnheard(reason, isLie);
    }
    return true;
  }

  /** A daemon may authorize itself with its first message: its key is on its way as an entry. */
  #waitsForKey(): boolean {
    const { uptime, limits } = this.#cluster;
    const now = uptime();
    if (now < this.#waitsFrom) return false;
    this.#stuckSince ??= now;
    if (now - this.#stuckSince < limits.relayKeyMs) return true;
    this.#waitsFrom = now + WAITS_OFF * limits.relayKeyMs;
    return false;
  }
}
