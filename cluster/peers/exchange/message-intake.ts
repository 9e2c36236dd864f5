/**
 * Receives a member's channel messages, checks them in order and in slices, and delivers or refuses them. Gaps in the
 * messages' numbers show that the member left messages out. Messages that arrive faster than this daemon can check them
 * are dropped, and counted as missing too.
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
  /** Called when a message is refused. @param isLie  whether no honest member would send such a message */
  onUnheard(reason: string, isLie: boolean): void;
}

/**
 * The number of messages that are checked between two checks of the clock. Some messages take a tenth of a millisecond.
 */
const MESSAGES_A_CHECK = 8;
/**
 * After a key did not arrive in time, messages with unknown keys are refused immediately for a while, because repeated
 * waiting would delay the member's other messages. That period is this multiple of the maximum wait.
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
  /**
   * Whether the first message was received. With that message a gap is reported, because earlier messages may have been
   * missed.
   */
  #hasBegun = false;
  /**
   * Whether this daemon has refused a message that other daemons may have delivered, and has not reported this gap yet.
   */
  #isMissing = false;
  /**
   * The `uptime` in milliseconds at which the oldest message began to wait for its signer's key, or null if it does not
   * wait.
   */
  #stuckSince: number | null = null;
  /** The `uptime` in milliseconds from which messages may wait for a key again. */
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
    // Leave messages that wait for a key to the tick. Otherwise the member could cause a retry with each message that
    // it sends.
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

  /** @returns false if the message waits for its signer's key; the messages after it then have to wait too */
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
      // Other daemons may have delivered the message, for example if its key is unknown only here.
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
