/**
 * A client's daemons: their links, and their common clock and cluster. The fleet chooses for each daemon between its
 * link in version 2 and its legacy link.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import type { EnvelopeDate, RefusedMessage } from "../../protocol/version-2/messages-v2.js";
import { publishOutcome } from "../calls/diagnostics-channels.js";
import type { PendingCall } from "../calls/pending-call.js";
import type { Sending, SentBatch } from "../calls/sending.js";
import type { ClientEnvironment } from "../shared/client-environment.js";
import type { DeadlineTimer } from "../shared/deadline-timer.js";
import type { FrameTracer } from "../shared/frame-tracer.js";
import type { CallFailure } from "../shared/outcome.js";
import type { LegacyLink } from "../version-1/legacy-link.js";
import { ClientClock } from "./client-clock.js";
import { ClusterVotes } from "./cluster-votes.js";
import { type AcknowledgedWrite, ConsistencySession } from "./consistency-session.js";
import { DaemonLink, type LinkHandlers } from "./daemon-link.js";
import type { FleetSettings } from "./fleet-settings.js";
import { RefusedBatches } from "./refused-batches.js";
import { hasConditions } from "./shared-envelopes.js";
import { clusterOrNoKey } from "./signing-terms.js";
import { UndecidedBatches } from "./undecided-batches.js";

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
  readonly #undecided: UndecidedBatches;

  constructor(parts: {
    /** Called when the cluster or the state of a daemon has changed. */
    changed: (now: number) => void;
    /** Called with a batch that must be signed again. */
    signAgain: (batch: SentBatch) => void;
    environment: ClientEnvironment;
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
      connectionFailed: this.#daemonChanged,
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
    this.#held = new RefusedBatches(this.votes, this.links, parts.signAgain, timer);
    this.#undecided = new UndecidedBatches(this.links, timer);
  }

  /** The newest write that a daemon has acknowledged. */
  get lastWrite(): AcknowledgedWrite | null {
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
    this.#held.reviewBatch(sending.batch, now);
  }

  tick(now: number): void {
    if (this.cluster === "") this.#decide(now);
    for (const link of this.links) link.tick(now);
    this.#held.tick(now);
    this.#undecided.tick(now);
  }

  nextTick(): number {
    let time = Math.min(this.votes.nextTick(), this.#held.nextTick(), this.#undecided.nextTick());
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
    this.#daemonChanged(now);
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
      this.#held.holdBatch(batch, now);
    } else batch.failed(sending, notYet(now));
    this.#held.reviewBatch(batch, now);
  };

  readonly #refused = (link: DaemonLink, sending: Sending, message: RefusedMessage, now: number): void => {
    const { code, sentence, effect } = message;
    const detail = `${code}: ${sentence}`;

    // If the envelope was also written to an earlier connection that was lost, the daemon may have applied it then,
    // although it refuses the envelope now.
    const written = effect === "unknown" || sending.writes > 1;
    const failure: CallFailure = { ok: false, stage: "refused", detail, written, at: now };
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
      this.#held.holdBatch(batch, now);
    } else batch.failed(sending, failure);

    if (isForCluster && this.votes.handleRefusal(link, batch.envelope?.cluster ?? "", now)) this.#decide(now);
    this.session.failed(sending.index, batch, now);
    this.#undecided.refused(sending, code, now);
    this.#held.reviewBatch(batch, now);
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
  readonly #daemonChanged = (now: number): void => {
    this.#decide(now);
    this.#changed(now);
  };

  /** Decides which cluster commands are for, if possible. */
  #decide(now: number): void {
    if (!this.votes.decide(now)) return;
    this.#changed(now);
    this.#held.reviewAll(now);
  }
}

/** Returns the failure of a read that a daemon may have answered without the client's writes. */
const notYet = (at: number): CallFailure => ({
  ok: false,
  stage: "refused",
  written: false,
  at,
  detail: "not-yet: It may be missing this client's writes. Try again later.",
});
