/**
 * Messages from a member. They are checked in order, in slices, and delivered or refused. Their numbers reveal messages
 * that the member left out. Messages that arrive faster than they can be checked are counted as missing too.
 */

import type { Work } from "../../../net/process/background-work.js";
import { Queue } from "../../../net/process/queue.js";
import type { SpeakMessage } from "../../../protocol/members/member-messages.js";
import { type PackedEntry, packedBytes, readEntries } from "../../../protocol/members/member-packing.js";
import type { ClusterState } from "../shared/cluster-state.js";
import type { MessageFigures } from "../shared/message-figures.js";

/** The member that sends the messages. */
export interface Speaker {
  malformed(detail: string): void;
  /** Called when checking a message threw an exception. */
  failed(problem: unknown): void;
  /** Called when a message is not delivered. @param isLie  whether no honest member would send it */
  onUnheard(reason: string, isLie: boolean): void;
}

/** Messages that are checked between two checks of the clock; some take a tenth of a millisecond each. */
const MESSAGES_A_CHECK = 8;
/**
 * If a key does not arrive in time, messages with unknown keys are refused immediately during a pause, because waiting
 * for keys again and again would delay the member's other messages. The pause is this multiple of the maximum wait.
 */
const PAUSE_FACTOR = 15;

export class MessageIntake {
  readonly #cluster: ClusterState;
  readonly #messages: NonNullable<ClusterState["messages"]>;
  readonly #figures: MessageFigures;
  readonly #speaker: Speaker;
  readonly #waiting = new Queue<PackedEntry>();
  #bytes = 0;
  #next = 1;
  #isChecking = false;
  /** Whether the first message was received. Earlier messages may have been missed, which is reported then. */
  #hasBegun = false;
  /**
   * Whether this daemon has refused a message that other daemons may have delivered, and has not reported this gap yet.
   */
  #isMissing = false;
  /**
   * When the first message began to wait for its signer's key, as `uptime` milliseconds, or null if it does not wait.
   */
  #stuckSince: number | null = null;
  /** The time from which messages wait for a key again; `uptime` milliseconds. */
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
    let missing = number - this.#next;
    this.#next = number + entries.length;
    for (const entry of entries) {
      const bytes = packedBytes(entry);
      if (this.#bytes + bytes > limits.relayBytes) {
        missing++;
        continue;
      }
      this.#bytes += bytes;
      this.#waiting.push(entry);
    }
    this.#figures.missed += missing;
    if (missing > 0 || !this.#hasBegun) this.#messages.missed();
    this.#hasBegun = true;
    // The tick retries messages that wait for a key. Otherwise the member could cause a retry with everything it sends.
    if (this.#stuckSince === null) this.#check();
  }

  /** Retries messages that wait for a key. */
  tick(): void {
    if (this.#stuckSince !== null) this.#check();
  }

  #check(): void {
    if (this.#isChecking || this.#waiting.size === 0) return;
    this.#isChecking = true;
    this.#cluster.slices.add(this.#checking());
  }

  *#checking(): Work {
    for (let count = 1; this.#waiting.first !== undefined; count++) {
      if (!this.#tryOne(this.#waiting.first)) break;
      this.#bytes -= packedBytes(this.#waiting.shift() as PackedEntry);
      if (count % MESSAGES_A_CHECK !== 0) continue;
      this.#reportMissing();
      yield;
    }
    this.#reportMissing();
    this.#isChecking = false;
  }

  #reportMissing(): void {
    if (this.#isMissing) this.#messages.missed();
    this.#isMissing = false;
  }

  /** @returns false if no further message can be checked now */
  #tryOne(entry: PackedEntry): boolean {
    try {
      return this.#checkOne(entry);
    } catch (problem) {
      this.#speaker.failed(problem);
      return false;
    }
  }

  /** @returns false if the message waits for a key, and so do the following ones */
  #checkOne({ body, signature }: PackedEntry): boolean {
    const figures = this.#figures;
    const outcome = this.#messages.hear(body, signature);
    if (outcome === "unknown-signer" && this.#waitsForKey()) return false;
    this.#stuckSince = null;
    if (outcome === "delivered") figures.heard++;
    else if (outcome !== "known") {
      const { refused: reason, isLie } =
        outcome === "unknown-signer" ? { refused: outcome, isLie: false } : outcome;
      figures.refused++;
      // The message may be too old, for example, or its key unknown to this daemon: other daemons may have delivered
      // it.
      this.#isMissing ||= !isLie;
      this.#speaker.onUnheard(reason, isLie);
    }
    return true;
  }

  /**
   * Whether to wait for the signer's key. The first message of a daemon may arrive before the entry that authorizes the
   * daemon's key.
   */
  #waitsForKey(): boolean {
    const { uptime, limits } = this.#cluster;
    const now = uptime();
    if (now < this.#waitsFrom) return false;
    this.#stuckSince ??= now;
    if (now - this.#stuckSince < limits.relayKeyMs) return true;
    this.#waitsFrom = now + PAUSE_FACTOR * limits.relayKeyMs;
    return false;
  }
}
