/**
 * Ends the wait for hung daemons after another daemon has refused a batch because no majority of the members could
 * decide on it. That daemon has usually sent the batch to the other members, and a hung one would not even refuse it.
 * Source: docs/protocol-v2.md "Retrying".
 */
import type { Sending, SentBatch } from "../calls/sending.js";
import type { DeadlineTimer } from "../shared/deadline-timer.js";
import type { DaemonLink } from "./daemon-link.js";

/** The codes of refusals by a daemon that has reached no majority of the members in time. */
const WITHOUT_MAJORITY: readonly string[] = ["cannot-decide", "undecided"];

/** The minimum time in which other daemons may decide on an envelope, also if their keeper must be replaced first. */
const DECISION_MS = 1_000;

/** The minimum time for the answer to a hello, which shows that a daemon is not hung. */
const HELLO_MS = 250;

/** The last refusal of a batch; times by the client's clock, in milliseconds. */
interface Refusal {
  readonly at: number;
  /** When the client gives up the silent daemons, if none of them has sent anything since `at`. */
  readonly until: number;
}

export class UndecidedBatches {
  readonly #links: readonly DaemonLink[];
  readonly #timer: DeadlineTimer;
  readonly #refusals = new Map<SentBatch, Refusal>();

  constructor(links: readonly DaemonLink[], timer: DeadlineTimer) {
    this.#links = links;
    this.#timer = timer;
  }

  /** Notes a refusal, and sends a hello to the daemons that have not answered the batch: hung ones do not answer it. */
  refused({ batch, writtenAt }: Sending, code: string, now: number): void {
    if (!WITHOUT_MAJORITY.includes(code) || batch.unsettled === 0) return;
    const silent = silentOf(batch);
    if (silent.length === 0) return;
    const until = Math.max(writtenAt + DECISION_MS, now + HELLO_MS);
    this.#refusals.set(batch, { at: now, until });
    this.#timer.wakeBy(until);
    for (const { index } of silent) this.#links[index]?.greetAgain(now);
  }

  /** Gives up the silent daemons of a batch at its time, if all of them are hung and no daemon has executed it. */
  tick(now: number): void {
    for (const [batch, { at, until }] of this.#refusals) {
      if (batch.unsettled > 0 && until > now) continue;
      this.#refusals.delete(batch);
      const silent = silentOf(batch);
      const isHung = ({ index }: Sending) => (this.#links[index]?.lastAnswerAt ?? at) <= at;
      if (batch.unsettled > 0 && !batch.sendings.some(({ isTaken }) => isTaken) && silent.every(isHung))
        for (const sending of silent) this.#links[sending.index]?.giveUp(sending, now);
    }
  }

  /** Returns the time at which `tick` has something to do; infinity: never. */
  nextTick(): number {
    let time = Number.POSITIVE_INFINITY;
    for (const { until } of this.#refusals.values()) time = Math.min(time, until);
    return time;
  }
}

/** Returns the sendings that a daemon has not answered in version 2. */
const silentOf = ({ sendings }: SentBatch): Sending[] =>
  sendings.filter(({ state }) => state === "queued" || state === "written");
