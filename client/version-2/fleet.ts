/**
 * A client's daemons: their links, their common clock and cluster, and the batches that they refuse. The fleet chooses
 * for each daemon between its link in version 2 and its legacy link.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import type { EnvelopeDate, RefusedMessage } from "../../protocol/version-2/messages-v2.js";
import { publishOutcome } from "../calls/diagnostics-channels.js";
import type { PendingCall } from "../calls/pending-call.js";
import type { Sending, SentBatch } from "../calls/sending.js";
import type { Environment } from "../shared/client-environment.js";
import { MISS_LINGER_MS } from "../shared/connections.js";
import type { DeadlineTimer } from "../shared/deadline-timer.js";
import type { FrameTracer } from "../shared/frame-tracer.js";
import type { Failure } from "../shared/outcome.js";
import type { LegacyLink } from "../version-1/legacy-link.js";
import { ClientClock } from "./client-clock.js";
import { ClusterVotes } from "./cluster-votes.js";
import { ConsistencySession, type LastWrite } from "./consistency-session.js";
import { DaemonLink, type FleetSettings, type LinkHandlers } from "./daemon-link.js";
import { hasConditions } from "./shared-envelopes.js";
import { clusterOrNoKey } from "./signing-terms.js";

/**
 * The maximum number of times a batch is signed. If a daemon refuses more dates than that, its clock is unusable.
 */
const SIGNATURES_MAX = 4;

/** The refusals after which the daemon may accept another date. */
const REFUSED_FOR_DATE: readonly string[] = ["skew", "too-old"];
const REFUSED_FOR_CLUSTER = "wrong-cluster";

/** A time so long ago that nothing relies on it. */
const NEVER = -1e9;

export class Fleet {
  readonly links: readonly DaemonLink[];
  readonly clock: ClientClock;
  readonly session: ConsistencySession;
  readonly #changed: (now: number) => void;
  readonly #legacyLinks: readonly LegacyLink[];
  readonly #live: ReadonlySet<SentBatch>;
  readonly votes: ClusterVotes;
  /** When a daemon last reported its capabilities; negative: none has since they were requested. */
  greetedAt = NEVER;
  readonly #held: RefusedBatches;

  constructor(parts: {
    /** Called when the cluster or the state of a daemon has changed. */
    changed: (now: number) => void;
    /** Called with a batch that must be signed again. */
    again: (batch: SentBatch) => void;
    environment: Environment;
    timer: DeadlineTimer;
    settings: FleetSettings;
    /** The links to the daemons that may speak version 1. */
    legacyLinks: readonly LegacyLink[];
    /** The batches with unsettled calls, in the order of their calls. */
    live: ReadonlySet<SentBatch>;
    isSigned: boolean;
    trace: FrameTracer | null;
    warn: (warning: string) => void;
  }) {
    const { environment, timer, settings, isSigned, trace, legacyLinks } = parts;
    const { addresses } = settings;
    this.#changed = parts.changed;
    this.#legacyLinks = legacyLinks;
    this.#live = parts.live;
    this.clock = new ClientClock(environment.wallClock() - environment.now());
    this.session = new ConsistencySession(addresses.length, settings.isSession);

    const all: DaemonLink[] = [];
    const { clock, session } = this;
    const handlers: LinkHandlers = {
      cluster: () => this.cluster,
      greeted: this.#greeted,
      turnedLegacy: this.#turnedLegacy,
      refused: this.#refused,
      notProven: this.#notProven,
      connectionFailed: this.#reconsider,
    };
    const shared = { handlers, all, clock, session, environment, timer, settings, isSigned, trace };
    for (const [at, address] of addresses.entries()) {
      const legacy = legacyLinks.find(({ index }) => index === at) ?? null;
      all.push(new DaemonLink({ ...shared, address, legacy }));
    }
    this.links = all;

    // Unsigned envelopes name no cluster, and only daemons without a cluster accept them.
    const cluster = isSigned ? settings.cluster : clusterOrNoKey("");
    this.votes = new ClusterVotes(cluster, this.links, parts.warn, timer);
    this.#held = new RefusedBatches(this.votes, this.links, parts.again, timer);
  }

  /** The newest write that a daemon has acknowledged. */
  get lastWrite(): LastWrite | null {
    return this.session.lastWrite;
  }

  /** The cluster that commands are for, or "" if it is not known yet. */
  get cluster(): ByteString {
    return this.votes.cluster;
  }

  /**
   * Whether members decide on units with conditions. One daemon that has announced it is enough: a daemon that cannot
   * decide refuses such a unit, and one daemon alone cannot acknowledge it.
   */
  get isDeciding(): boolean {
    return this.links.some((link) => link.isDeciding && !link.isForeign);
  }

  /** Describes the conflict if the servers name different clusters and none has the most votes; otherwise null. */
  get conflict(): string | null {
    return this.votes.conflict;
  }

  /**
   * Whether every daemon receives its calls on its legacy link. Also queries again the daemons whose version was
   * detected some time ago.
   * @param isQuiet  whether no sending is in flight to any daemon
   */
  isLegacy(now: number, isQuiet: boolean): boolean {
    for (const legacy of this.#legacyLinks)
      if (legacy.recheck(now, isQuiet)) this.links[legacy.index]?.ensureConnected(now, true);
    return this.links.every(({ isLegacy }) => isLegacy);
  }

  /** Begins to query the daemons for their version and cluster. */
  greet(now: number, insist = this.isBackingOff(now)): void {
    for (const link of this.links) if (!link.isLegacy) link.ensureConnected(now, insist);
  }

  /** Requests the capabilities of the daemons again. */
  greetAgain(now: number): void {
    this.greetedAt = NEVER;
    for (const link of this.links) link.greetAgain(now);
  }

  /** Returns the earliest end of a daemon's backoff, or infinity if there is none. */
  nextGreeting(): number {
    let time = Number.POSITIVE_INFINITY;
    for (const { state, nextAttempt } of this.links)
      if (state === "closed") time = Math.min(time, nextAttempt);
    return time;
  }

  /** Whether there is no connection and no attempt to connect. */
  get isUnreachable(): boolean {
    return this.links.every(({ state }) => state === "closed");
  }

  /**
   * Returns the date for a batch's envelope. If daemons have refused the date of a read, their own clocks determine the
   * new date.
   */
  date({ isRead, sendings }: SentBatch, now: number): EnvelopeDate {
    const refusers = sendings.filter(({ state, hasRefusedDate }) => state === "waiting" && hasRefusedDate);
    if (!isRead || refusers.length === 0) return this.clock.date(now);
    const links = refusers.map((sending) => this.#link(sending));
    return { at: this.clock.timeBy(links, now), seq: 0 };
  }

  /** Sends a signed batch to every daemon that is waiting for it. */
  offer(batch: SentBatch, now: number): void {
    const insist = this.isBackingOff(now);
    for (const sending of batch.sendings) {
      if (sending.state !== "waiting") continue;
      sending.envelope = batch.envelope;
      this.#link(sending).offer(sending, now, insist);
    }
  }

  /** Withdraws a batch that was written to no daemon. */
  withdraw(batch: SentBatch, now: number): void {
    for (const sending of batch.sendings) {
      if (sending.state !== "queued") continue;
      this.#link(sending).withdraw(sending);
      batch.failed(sending, { ok: false, stage: "not-awaited", detail: "", written: false, at: now });
    }
  }

  /** Fails a batch that was never signed. */
  abandon(batch: SentBatch, now: number): void {
    for (const sending of batch.sendings) {
      if (sending.state === "waiting") batch.failed(sending, this.#link(sending).failure(now));
    }
  }

  /** Sends a call that joins a batch on the legacy links that are on. */
  add(batch: SentBatch, call: PendingCall, now: number): void {
    if (this.#legacyLinks.length === 0) return;
    // If no daemon is reachable, the client tries each of them, because the user may have just started one.
    const insist = this.isBackingOff(now);
    for (const legacy of this.#legacyLinks) legacy.add(batch.sendings[legacy.index] as Sending, call, insist);
  }

  /** Handles the end of a sending. */
  ended(sending: Sending, now: number): void {
    publishOutcome(sending, now);
    this.#held.reconsider(sending.batch, now);
  }

  tick(now: number): void {
    if (this.cluster === "") this.#decide(now);
    for (const link of this.links) link.tick(now);
    this.#held.tick(now);
  }

  nextTick(): number {
    let time = Math.min(this.votes.nextTick(), this.#held.nextTick());
    for (const link of this.links) time = Math.min(time, link.nextTick());
    return time;
  }

  releaseProcess(now: number): void {
    for (const link of this.links) link.releaseProcess(now);
  }

  close(now: number): void {
    for (const link of this.links) link.close(now);
    this.#held.close();
  }

  readonly #greeted = (link: DaemonLink, cluster: ByteString, now: number): void => {
    this.greetedAt = now;
    this.votes.vote(link, cluster, now);
    this.#decide(now);
  };

  readonly #turnedLegacy = (legacy: LegacyLink, sendings: readonly Sending[], now: number): void => {
    const insist = this.isBackingOff(now);
    for (const sending of sendings) legacy.takeOver(sending, insist, now);
    for (const batch of this.#live) {
      const sending = batch.sendings[legacy.index] as Sending;
      if (sending.state === "waiting" && sending.refusal === null) legacy.takeOver(sending, insist, now);
    }
    // A decision may abort calls. Those that this daemon will receive must not count as unsent then.
    this.#reconsider(now);
  };

  /** Returns the acknowledged write that a batch names in `after`, or null if there is none. */
  after(batch: SentBatch, now: number): ByteString | null {
    if (!batch.isRead && !hasConditions(batch)) return null;
    // A connected daemon can answer, so reads need not name a write that only unreachable daemons may be missing.
    for (const { state } of this.links) if (state === "speaking") return this.session.after(batch, now);
    for (let index = 0; index < this.links.length; index++) this.session.disconnected(index);
    return this.session.after(batch, now);
  }

  readonly #notProven = (sending: Sending, now: number): void => {
    const { batch } = sending;
    if (batch.unsettled > 0 && batch.signatures < SIGNATURES_MAX) {
      sending.refusal = notYet(now);
      sending.state = "waiting";
      this.#held.hold(batch, now);
    } else batch.failed(sending, notYet(now));
    this.#held.reconsider(batch, now);
  };

  readonly #refused = (link: DaemonLink, sending: Sending, message: RefusedMessage, now: number): void => {
    const { code, sentence, effect } = message;
    const detail = `${code}: ${sentence}`;

    // If the envelope was also written to an earlier connection that was lost, the daemon may have applied it then,
    // although it refuses the envelope now.
    const written = effect === "unknown" || sending.writes > 1;
    const failure: Failure = { ok: false, stage: "refused", detail, written, at: now };
    const { batch } = sending;
    sending.hasRefusedDate = REFUSED_FOR_DATE.includes(code);
    const isForCluster = code === REFUSED_FOR_CLUSTER && !this.votes.isConfigured;

    const maySignAgain =
      (sending.hasRefusedDate || isForCluster) &&
      (batch.isRead || !failure.written) &&
      batch.unsettled > 0 &&
      batch.signatures < SIGNATURES_MAX;
    if (maySignAgain) {
      sending.refusal = failure;
      sending.state = "waiting";
      this.#held.hold(batch, now);
    } else batch.failed(sending, failure);

    if (isForCluster && this.votes.handleRefusal(link, batch.envelope?.cluster ?? "", now)) this.#decide(now);
    this.session.failed(sending.index, batch, now);
    this.#held.reconsider(batch, now);
  };

  #link(sending: Sending): DaemonLink {
    return this.links[sending.index] as DaemonLink;
  }

  /** Whether every daemon is in its backoff. */
  isBackingOff(now: number): boolean {
    return this.links.every((link) => {
      const { legacy } = link;
      return legacy?.isOn ? legacy.isBackingOff(now) : link.isBackingOff(now);
    });
  }

  /** Reconsiders the cluster, and the batches that wait for it, because a daemon's state has changed. */
  readonly #reconsider = (now: number): void => {
    this.#decide(now);
    this.#changed(now);
  };

  /** Decides which cluster commands are for, if possible. */
  #decide(now: number): void {
    if (!this.votes.decide(now)) return;
    this.#changed(now);
    this.#held.reconsiderAll(now);
  }
}

/** Returns the failure of a read that a daemon may have answered without the client's writes. */
const notYet = (at: number): Failure => ({
  ok: false,
  stage: "refused",
  written: false,
  at,
  detail: "not-yet: It may be missing this client's writes. Try again later.",
});

/**
 * Batches that a daemon has refused and that the client may sign again: with another date, for another cluster, or with
 * the write that a daemon must have before it answers. A write is signed again only if no daemon can have applied it. A
 * read may run twice, and is signed again immediately if no other daemon is expected to answer soon.
 */
class RefusedBatches {
  readonly #votes: ClusterVotes;
  readonly #links: readonly DaemonLink[];
  readonly #again: (batch: SentBatch) => void;
  readonly #timer: DeadlineTimer;
  /** The held batches, each with the time at which it is reconsidered even if no daemon has answered by then. */
  readonly #held = new Map<SentBatch, number>();

  constructor(
    votes: ClusterVotes,
    links: readonly DaemonLink[],
    again: (batch: SentBatch) => void,
    timer: DeadlineTimer,
  ) {
    this.#votes = votes;
    this.#links = links;
    this.#again = again;
    this.#timer = timer;
  }

  /** Holds a batch that a daemon has refused. The caller then calls `reconsider`. */
  hold(batch: SentBatch, now: number): void {
    if (this.#held.has(batch)) return;
    const until = Math.min(now + MISS_LINGER_MS, batch.deadline);
    this.#held.set(batch, until);
    this.#timer.wakeBy(until);
  }

  /** Decides whether a held batch is signed again, fails, or waits for the remaining daemons. */
  reconsider(batch: SentBatch, now: number): void {
    const until = this.#held.get(batch);
    if (until === undefined) return;
    const { sendings } = batch;
    const isOpen = sendings.some(({ state }) => state === "written");
    const isWanted = batch.unsettled > 0 && now < batch.deadline;
    const isForDate = sendings.some(({ refusal, hasRefusedDate }) => refusal !== null && hasRefusedDate);
    const isUnproven = sendings.some(({ refusal, isCatchingUp }) => refusal !== null && isCatchingUp);
    const maySendTwice = batch.isRead && (isForDate || isUnproven) && !(isOpen && now < until);
    if (!isWanted) this.#fail(batch);
    else if (maySendTwice || (batch.isUntouched && (isForDate || !this.#isForSameCluster(batch))))
      this.#signAgain(batch);
    else if (!(isOpen || (batch.isUntouched && this.#mayChangeCluster(batch)))) this.#fail(batch);
  }

  reconsiderAll(now: number): void {
    for (const batch of this.#held.keys()) this.reconsider(batch, now);
  }

  tick(now: number): void {
    for (const [batch, until] of this.#held) {
      if (until > now && batch.unsettled > 0) continue;
      this.reconsider(batch, now);
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

  #signAgain(batch: SentBatch): void {
    this.#held.delete(batch);
    for (const sending of batch.sendings)
      if (sending.state === "queued") this.#linkOf(sending).withdraw(sending);
    batch.reset();
    this.#again(batch);
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
