/**
 * Batches that a daemon has refused and that the client may sign again: with another date, for another cluster, or with
 * the write that a daemon must have before it answers. A write is signed again only if no daemon can have applied it. A
 * read may run twice, and is signed again immediately if no other daemon is expected to answer soon.
 */

import type { Sending, SentBatch } from "../calls/sending.js";
import { MISS_LINGER_MS } from "../shared/connections.js";
import type { DeadlineTimer } from "../shared/deadline-timer.js";
import type { ClusterVotes } from "./cluster-votes.js";
import type { DaemonLink } from "./daemon-link.js";

export class RefusedBatches {
  readonly #votes: ClusterVotes;
  readonly #links: readonly DaemonLink[];
  readonly #signAgain: (batch: SentBatch) => void;
  readonly #timer: DeadlineTimer;
  /** The held batches, each with the time at which it is reviewed even if no daemon has answered by then. */
  readonly #held = new Map<SentBatch, number>();

  constructor(
    votes: ClusterVotes,
    links: readonly DaemonLink[],
    signAgain: (batch: SentBatch) => void,
    timer: DeadlineTimer,
  ) {
    this.#votes = votes;
    this.#links = links;
    this.#signAgain = signAgain;
    this.#timer = timer;
  }

  /** Holds a batch that a daemon has refused. The caller then calls `reviewBatch`. */
  holdBatch(batch: SentBatch, now: number): void {
    if (this.#held.has(batch)) return;
    const until = Math.min(now + MISS_LINGER_MS, batch.deadline);
    this.#held.set(batch, until);
    this.#timer.wakeBy(until);
  }

  /** Decides whether a held batch is signed again, fails, or waits for the remaining daemons. */
  reviewBatch(batch: SentBatch, now: number): void {
    const until = this.#held.get(batch);
    if (until === undefined) return;

    const { sendings } = batch;
    const isOpen = sendings.some(({ state }) => state === "written");
    const isWanted = batch.unsettled > 0 && now < batch.deadline;
    const isForDate = sendings.some(({ refusal, hasRefusedDate }) => refusal !== null && hasRefusedDate);
    const isUnproven = sendings.some(({ refusal, isCatchingUp }) => refusal !== null && isCatchingUp);
    // A read may run twice, but signing it again is useless while the answer to its first envelope may arrive soon.
    const maySendTwice = batch.isRead && (isForDate || isUnproven) && !(isOpen && now < until);

    if (!isWanted) this.#fail(batch);
    else if (maySendTwice || (batch.isUntouched && (isForDate || !this.#isForSameCluster(batch))))
      this.#restart(batch);
    else if (!(isOpen || (batch.isUntouched && this.#mayChangeCluster(batch)))) this.#fail(batch);
  }

  reviewAll(now: number): void {
    for (const batch of this.#held.keys()) this.reviewBatch(batch, now);
  }

  tick(now: number): void {
    for (const [batch, until] of this.#held) {
      if (until > now && batch.unsettled > 0) continue;
      this.reviewBatch(batch, now);
      if (this.#held.has(batch)) this.#held.set(batch, batch.deadline);
    }
  }

  nextTick(): number {
    let time = Number.POSITIVE_INFINITY;
    for (const until of this.#held.values()) time = Math.min(time, until);
    return time;
  }

  /** Fails all held batches. */
  close(): void {
    for (const batch of this.#held.keys()) this.#fail(batch);
  }

  /** Whether the batch would be signed again for the same cluster. */
  #isForSameCluster({ envelope }: SentBatch): boolean {
    return this.#votes.conflict === null && envelope?.cluster === this.#votes.cluster;
  }

  #linkOf({ index }: Sending): DaemonLink {
    return this.#links[index] as DaemonLink;
  }

  #restart(batch: SentBatch): void {
    this.#held.delete(batch);
    for (const sending of batch.sendings)
      if (sending.state === "queued") this.#linkOf(sending).withdraw(sending);
    batch.reset();
    this.#signAgain(batch);
  }

  /** Whether an answer is pending that may change the cluster. */
  #mayChangeCluster({ sendings }: SentBatch): boolean {
    return sendings.some(
      (sending) =>
        sending.state === "queued" || (sending.refusal !== null && this.#linkOf(sending).isGreetingAgain),
    );
  }

  #fail(batch: SentBatch): void {
    this.#held.delete(batch);
    for (const sending of batch.sendings) {
      if (sending.state !== "ended" && sending.refusal !== null) batch.failed(sending, sending.refusal);
    }
  }
}
