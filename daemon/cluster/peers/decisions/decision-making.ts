/**
 * Connects the decisions with this daemon's timeline, member lists and connections. Without a member list, nothing is
 * decided. Source: docs/protocol-v2.md "Decisions".
 */

import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../../protocol/errors.js";
import { UNDECIDED_CAUSES } from "../../../../protocol/figures/undecided-causes.js";
import {
  type Certificate,
  type DecisionMessage,
  type LastDecision,
  readCertificate,
  readDecisionMessage,
  readStoredPromises,
  writeCertificate,
  writeDecisionMessage,
  writeStoredPromises,
} from "../../../../protocol/members/decision-messages.js";
import type { SignedList } from "../../../../protocol/members/member-list.js";
import {
  type Decision,
  decidedEnvelope,
  isDecision,
  PROPOSAL_UNITS_MAX,
  readDecision,
  readEntryBody,
  unitIdOf,
  writeDecision,
} from "../../../../protocol/version-2/decision-body.js";
import {
  dateAfter,
  type Envelope,
  hexOf,
  isLaterDate,
  readBody,
  signedBytes,
} from "../../../../protocol/version-2/envelope.js";
import { readHead } from "../../../../protocol/version-2/envelope-head.js";
import { pathsOf, rootOf } from "../../../../protocol/version-2/hash-tree.js";
import type { EnvelopeDate } from "../../../../protocol/version-2/messages-v2.js";
import type { Work } from "../../../net/process/background-work.js";
import { namedPattern } from "../../../store/commands/key-ring-commands.js";
import { patternWordOf } from "../../../store/key-command.js";
import type { DecidedPatterns } from "../../../store/rights/decided-patterns.js";
import { compareOrderKeys, type Entry, type OrderKey } from "../../../timeline/entries/entry.js";
import { PROPOSAL_STEPS_MAX } from "../../../timeline/fold/outcomes-in-turn.js";
import type { MemberLists } from "../../members/member-lists.js";
import type { ClusterState, IsVerified } from "../shared/cluster-state.js";
import { PLACED_AHEAD_MS, PROPOSED_AHEAD_MS } from "../shared/peering-limits.js";
import { type DecisionFigures, mostWaiting } from "./decision-figures.js";
import type {
  DateBounds,
  DecisionPorts,
  FoldedDecision,
  GiveUp,
  Judgement,
  Objection,
  Proposal,
  ProposedDecision,
  Servable,
  VoterState,
  Votes,
  VotingList,
  VotingLists,
  WaitingUnit,
} from "./decision-types.js";
import { Decisions } from "./decisions.js";
import { type Finality, PatternBeginnings } from "./pattern-beginnings.js";
import { SlotCertificates } from "./slot-certificates.js";
import type { Undecided } from "./undecided.js";
import { bodiesOf } from "./voter.js";

const NO_SIGNATURE = Buffer.alloc(0);

/** Why this daemon does not vote for a proposal, although another member may. */
type Cause = "clock" | "entries" | "code" | "outcome";

/**
 * Milliseconds by which a decision may be dated ahead of the members' median clock. A key that a decision sets with a
 * lifetime may expire this much too early, because the decision that finds it expired may be dated ahead.
 */
const AHEAD_MS = 250;

/** Milliseconds until a unit whose keys later entries have changed is tested again. */
const TEST_EVERY_MS = 50;

/** The maximum number of bytes of the units that one proposal decides, unless it decides only one. */
const PROPOSAL_BYTES = 1024 * 1024;

/** The maximum number of their commands, unless it decides only one envelope. */
const PROPOSAL_COMMANDS = 1024;

/**
 * The factor by which a member may count more or fewer steps than the keeper, and still agree with its outcomes. They
 * usually count the same; what a command reads may depend on what a member has dropped or indexed already.
 */
const STEPS_FACTOR = 2;

/** The room of one proposal for envelopes. The first one always fits. */
class ProposalRoom {
  #bytes = 0;
  #commands = 0;

  /** Adds an envelope. @returns whether it fits */
  takes(body: Buffer, { commands }: Pick<Envelope, "commands">): boolean {
    const isFirst = this.#commands === 0;
    this.#bytes += body.length;
    this.#commands += commands.length;
    return isFirst || (this.#bytes <= PROPOSAL_BYTES && this.#commands <= PROPOSAL_COMMANDS);
  }
}

/** What this daemon knows of the other members by comparing itself with them, and by hearing from them. */
export interface ComparedMembers extends Finality {
  /** As in `DecisionPorts`. */
  readonly majorityHeardAt: () => number;
  /** Whether members are connected, and have the same entries up to a date as this daemon. */
  readonly areLevel: (ids: ReadonlySet<ByteString>, upTo: number) => boolean;
  /**
   * Returns the members' median clock: milliseconds since 1970, an integer.
   * @param isLater  whether it is the later one if two are in the middle
   */
  readonly commonClock: (isLater: boolean) => number;
}

export class DecisionMaking {
  readonly #cluster: ClusterState;
  readonly #members: ComparedMembers;
  /** The ids of the members that have voted for two decisions in one ballot, since the start. */
  readonly contradicting = new Set<ByteString>();
  /** When waiting units whose keys later entries have changed are tested again; `uptime` milliseconds. */
  readonly #testedFrom = new WeakMap<WaitingUnit, number>();
  /** When patterns of decided keys may begin. */
  readonly beginnings: PatternBeginnings;
  /** Why this daemon has not voted for the last proposal that it judged; null if it has. */
  #objection: Cause | null = null;
  #decisions: Decisions | null = null;
  /** The patterns of decided keys as of the last tick. */
  #patterns: DecidedPatterns | null = null;
  readonly #certificates = new SlotCertificates();
  /** The parsed bodies of decisions, which are evaluated and recorded. */
  readonly #entries = new WeakMap<ProposedDecision, Entry>();
  /** The decisions that are being recorded, by id. */
  #made: ReadonlyMap<ByteString, ProposedDecision> = new Map();
  /** Whether the decisions that were made before this start are known. Until then this daemon does not vote. */
  #areStoredKnown = false;
  /** The lists that were found last, and what they follow from. */
  #known: {
    readonly heads: MemberLists["heads"];
    readonly since: number;
    readonly size: number;
    readonly lists: VotingLists | null;
  } | null = null;

  constructor(cluster: ClusterState, members: ComparedMembers) {
    this.#cluster = cluster;
    this.#members = members;
    this.beginnings = new PatternBeginnings(cluster, members);
    cluster.timeline.decided.recorded = (entries) => this.#decisions?.recorded(entries);
    cluster.timeline.decided.folded = (entries) => this.#folded(entries);
  }

  /**
   * Whether units can be decided here, as of the last tick: a member list that names this daemon is in force, and the
   * stored decisions are known. It is a field, because each request reads it.
   */
  isPossible = false;

  /** Whether this daemon may have lost votes, and so does not vote. */
  get isAmnesic(): boolean {
    return this.#decisions?.isAmnesic ?? false;
  }

  /** The ids of the members that have to answer before this daemon votes again, because it may have lost promises. */
  get missingPromises(): readonly ByteString[] {
    return this.#decisions?.missingPromises ?? [];
  }

  /** Why the members have made no decision for some time, although one is required; null if they have. */
  get undecided(): Undecided | null {
    const undecided = this.#voting?.undecided ?? null;
    const objection = this.#objection;
    if (undecided?.cause !== "keeper" || objection === null) return undecided;
    return { ...undecided, cause: objection };
  }

  /** The ids of the members that repeatedly prevent decisions without a benefit. */
  get disturbing(): readonly ByteString[] {
    return this.#voting?.disturbing ?? [];
  }

  /** How often this daemon has promised a ballot of another keeper, or of another round, since the start. */
  get keeperChanges(): number {
    return this.#decisions?.keeperChanges ?? 0;
  }

  /** The number of waiting units. */
  get waiting(): number {
    return this.#decisions?.waiting ?? 0;
  }

  /** The number of the last decision that is part of the state. */
  get last(): number {
    return this.#decisions?.last.slot ?? 0;
  }

  /** Whether the decision in a slot and all before it are part of the state, as far as this daemon knows. */
  hasAllUpTo(slot: number): boolean {
    return this.#decisions?.hasAllUpTo(slot) ?? false;
  }

  /**
   * The date up to which all decisions are part of the state, as far as this daemon knows; infinity: none is known to
   * be missing. After a cut, the newest decisions arrive first.
   */
  get completeTo(): number {
    return this.#decisions?.completeTo(this.#areStoredKnown) ?? Number.POSITIVE_INFINITY;
  }

  /** What the members have decided, and what waits for a decision here. */
  get figures(): DecisionFigures {
    const decisions = this.#decisions;
    return {
      keeper: decisions?.keeper ?? null,
      slots: this.last,
      units: this.#cluster.timeline.decided.count,
      lastAt: decisions?.last.orderKey?.at ?? 0,
      waiting: this.waiting,
      waitingKeys: mostWaiting(decisions?.waitingByKey ?? []),
    };
  }

  /**
   * Returns why a unit cannot wait here for a decision; null if it can, or waits here, or a proposal of it is known.
   * @param id  the id of the envelope
   * @param caller  the id of the key that has signed it
   * @param bytes  the length of its body
   * @param isOnlyHere  as in `Decisions.submit`
   */
  obstacle(id: ByteString, caller: ByteString, bytes: number, isOnlyHere: boolean): string | null {
    const voting = this.isPossible ? this.#voting : null;
    if (voting === null) return "it is not a voting member yet";
    return voting.obstacle(id, caller, bytes, isOnlyHere);
  }

  /** As in `Decisions.isKnown`. */
  isKnown(id: ByteString): boolean {
    return this.#decisions?.isKnown(id) ?? false;
  }

  /** Passes a unit of a client to the members. @param isOnlyHere  as in `Decisions.submit` */
  submit(entry: Entry, isOnlyHere: boolean, giveUp: GiveUp): void {
    // A daemon's command may have waited for others while its pattern was removed.
    if (!this.beginnings.decidesOn(entry.envelope)) {
      giveUp(!isOnlyHere, PATTERN_REMOVED);
      return;
    }

    this.#voting?.submit(this.#waitingUnit(entry), isOnlyHere, giveUp);
    this.#pin();
  }

  /** The members' median clock, as far as this daemon knows it: milliseconds since 1970, an integer. */
  get commonClock(): number {
    return this.#members.commonClock(false);
  }

  /** The latest date of a proposal by this clock. */
  get #proposableTo(): number {
    return this.commonClock + PROPOSED_AHEAD_MS;
  }

  /**
   * Returns the earliest date of a decision on an envelope, milliseconds since 1970. A daemon's envelope follows the
   * writes that its senders made before, which may be dated ahead. An envelope of a client that is placed may be dated
   * ahead by no more than daemons assume that record it after a pattern was removed.
   * @param signedAt  the date that its signer has chosen
   */
  #earliestOf({ key, decide }: Envelope, signedAt: number): number {
    const isOfDaemon = this.#cluster.timeline.ring.find(key)?.role === "daemon";
    if (isOfDaemon) return signedAt + 1;
    return decide ? 0 : signedAt - PLACED_AHEAD_MS;
  }

  /** @throws MalformedFrame */
  receive(from: ByteString, bytes: Buffer): void {
    // Copy the bytes, because the message's buffers are views that may be stored.
    const message = readDecisionMessage(Buffer.from(bytes));
    this.#voting?.receive(from, message);
    this.#pin();
  }

  tick(): void {
    this.listsChanged();
    this.#endUndecidable();
    this.#voting?.tick();
    this.#pin();
    this.beginnings.tick();
    this.#logUndecided();
  }

  /**
   * Called when the lists have changed: they may permit this daemon to vote, and its open vote is known from then on.
   * Or they no longer name it, and what waits here is given up.
   */
  listsChanged(): void {
    const isListed = this.#votingLists(this.#decisions?.last.list ?? 0) !== null;
    if (isListed && this.#decisions === null) this.#begin();
    this.isPossible = isListed && this.#areStoredKnown;
    const { lists, timeline } = this.#cluster;
    if (lists?.isOutside === true) this.#voting?.dropAll(REMOVED);
    if (timeline.failure !== null) this.#voting?.dropAll(DISK_FAILED);
    this.#pin();
  }

  /** Ends the units whose pattern was removed while they waited: no keeper proposes them any longer. */
  #endUndecidable(): void {
    const { timeline, slices } = this.#cluster;
    const { patterns } = timeline.ring;
    if (patterns === this.#patterns) return;
    this.#patterns = patterns;
    const isOver = ({ body }: WaitingUnit): boolean => !this.beginnings.decidesOn(readBody(body));
    if (this.#voting !== null) slices.add(this.#voting.end(isOver, PATTERN_REMOVED));
  }

  #logUndecided(): void {
    const { notices } = this.#cluster;
    const { undecided } = this;
    if (undecided === null) return;
    const { cause, milliseconds } = undecided;
    const members = undecided.members.map(hexOf);
    const { says } = UNDECIDED_CAUSES[cause];
    const why = says.replace("…", members.join(", "));
    notices.warn("undecided", { cause, members, milliseconds }, `units have no decision: ${why}`, cause);
  }

  /** Keeps the dates from an open vote on from becoming final. */
  #pin(): void {
    const { decided } = this.#cluster.timeline;
    const isKnown = this.#decisions !== null && !this.isAmnesic;
    const open = this.#decisions?.openDate ?? Number.POSITIVE_INFINITY;
    decided.openDate = isKnown ? open : Math.min(open, this.#storedDate);
  }

  /** The date of the stored vote, unless its decisions are part of the state, or can no longer be. */
  get #storedDate(): number {
    const { timeline } = this.#cluster;
    const { storedVote } = timeline.decided;
    const open = storedVote.find(
      (decision) => decision.at > timeline.published && !timeline.hasFolded(decision),
    );
    return open?.at ?? Number.POSITIVE_INFINITY;
  }

  /** The decisions, once those that were made before this start are known; null until then. */
  get #voting(): Decisions | null {
    return this.#areStoredKnown ? this.#decisions : null;
  }

  /** Begins to decide, because this daemon is a member of a list that is on its disk. */
  #begin(): void {
    const { timeline, slices } = this.#cluster;
    const stored = timeline.decided.promises;
    const state = stored === null ? null : this.#stateOf(readStoredPromises(stored));
    this.#decisions = new Decisions(this.#ports(), state);
    slices.add(this.#noteStored(state?.accepted?.proposal ?? null));
  }

  /**
   * Records the decisions that were made before this start. Under a later list, a member that has never voted may be
   * part of a majority that votes on one of their units again. Later decisions are recorded when they are folded.
   * @param accepted  the proposal for which this daemon has voted last, or null if there is none
   */
  *#noteStored(accepted: Proposal | null): Work {
    const { timeline } = this.#cluster;
    const { decided } = timeline;

    for (const decision of accepted?.decisions ?? []) {
      const parts = timeline.hasFolded(decision) ? timeline.read(decision) : null;
      if (parts !== null) decided.note([this.#entryOf(parts.body, parts.signature)]);
    }
    // After a backup was restored, no promise names its decisions, but the slots must continue after them. Otherwise a
    // daemon that starts with an empty folder and receives all decisions would find two decisions in one slot.
    const isRestored = this.#cluster.lists?.history.hasUnproved === true;
    const lastAt = this.#decisions?.last.orderKey?.at ?? 0;
    const from = isRestored ? Math.min(lastAt, decided.knownFrom) : decided.knownFrom;
    for (const found of decided.stored(from)) {
      for (const { orderKey, body, signature } of found)
        if (timeline.hasFolded(orderKey)) decided.note([this.#entryOf(body, signature)]);
      yield;
    }

    this.#areStoredKnown = true;
  }

  #stateOf({ promised, accepted, last }: ReturnType<typeof readStoredPromises>): VoterState | null {
    const proposal = accepted === null ? null : this.#read(accepted.bodies);
    if (accepted !== null && proposal === null) return null;
    return { promised, last, accepted: accepted && proposal && { proposal, evidence: accepted.evidence } };
  }

  #folded(entries: readonly Entry[]): void {
    this.#decisions?.folded(
      entries.map((entry) => {
        const decision = this.#made.get(entry.id) ?? this.#decisionOf(entry);
        const certificate = readCertificate(entry.signature);
        if (certificate !== null) this.#compareInSlot(decision, certificate);
        return { decision, list: this.#listOf(certificate) };
      }),
    );
    this.#pin();
  }

  /**
   * Returns the number of the member list that made a decision; 0: the present list does not follow it, because the
   * decision is from a restored backup. Then any list that the present one follows may have made later decisions.
   */
  #listOf(certificate: Certificate | null): number {
    const { ballot } = certificate ?? {};
    const isFollowed = ballot !== undefined && this.#cluster.lists?.history.isProved(ballot.listHash);
    return isFollowed === true ? ballot.list : 0;
  }

  /** Reports if another decision of the same slot is part of the state, and the members that are known to lie then. */
  #compareInSlot(decision: ProposedDecision, certificate: Certificate): void {
    const { slot, index, id } = decision;
    const voters = this.#certificates.add(slot, index, id, certificate);
    if (voters === null) return;
    this.#cluster.notices.warn("decisions of a slot", { slot }, TWO_OF_ONE_SLOT);
    for (const spki of voters) this.#contradicted(this.#cluster.hash(Buffer.from(spki, "latin1")));
  }

  #contradicted(member: ByteString): void {
    if (this.contradicting.has(member)) return;
    this.contradicting.add(member);
    this.#cluster.log.error({ member: hexOf(member) }, CONTRADICTED);
  }

  /**
   * Returns null if this daemon may not vote. One whose disk has failed can store no vote, and receives no decision: it
   * would repeatedly try to replace the keeper, and so interrupt the members that decide.
   * @param since  the number of the list that made the last known decision
   */
  #votingLists(since: number): VotingLists | null {
    const { lists, timeline } = this.#cluster;
    if (lists === null || !lists.isReporting || timeline.failure !== null) return null;
    const { heads, history } = lists;
    const known = this.#known;
    if (known?.heads === heads && known.since === since && known.size === history.size) return known.lists;
    const found = this.#findLists(lists, since);
    this.#known = { heads, since, size: history.size, lists: found };
    return found;
  }

  #findLists(lists: MemberLists, since: number): VotingLists | null {
    const { inForce } = lists.membership;
    const head = lists.heads.find(({ hash }) => hash === inForce?.hash);
    if (head === undefined) return null;
    const { lists: earlier, unknown } = lists.history.before(head, since);
    return { current: votingList(head), earlier: earlier.map(votingList), unknown };
  }

  #ports(): DecisionPorts {
    const cluster = this.#cluster;
    const { identity, timeline } = cluster;
    return {
      own: identity,
      cluster: cluster.cluster,
      sign: (bytes) => bytesOf(identity.sign(bytes)),
      verify: (spki, bytes, signature) =>
        cluster.verifySignature(spki, bytes, Buffer.from(signature, "latin1")),
      hash: cluster.hash,
      uptime: cluster.uptime,
      random: cluster.random,
      nextTurn: cluster.nextTurn,
      lists: (since) => this.#votingLists(since),
      isConnected: (id) => cluster.members.has(id),
      majorityHeardAt: this.#members.majorityHeardAt,
      silentAfterMs: cluster.limits.standstillMs + cluster.limits.statusEveryMs,
      isReady: (id) => (cluster.members.get(id)?.status ?? null) !== null,
      roundTrip: (id) => cluster.members.get(id)?.roundTrip ?? null,
      send: (to, message) => this.#send(to, message),
      save: ({ accepted, ...state }, then) => {
        const stored = accepted && { bodies: bodiesOf(accepted.proposal), evidence: accepted.evidence };
        timeline.decided.storePromises(writeStoredPromises({ ...state, accepted: stored }), () => {
          then();
          this.#pin();
        });
        this.#pin();
      },
      isPart: (unit, body) => timeline.decided.find(unit) !== null || this.#isRecorded(unit, readHead(body)),
      findDecision: (orderKey) => this.#findDecision(orderKey),
      areLevel: (upTo) => this.#members.areLevel(this.#others, upTo),
      prunedTo: () => timeline.prunedTo,
      propose: (units, last, bounds) => this.#propose(units, last, bounds),
      latestDate: () => cluster.clock() + cluster.limits.future,
      judge: (proposal) => this.#judge(proposal),
      read: (bodies) => this.#read(bodies),
      unitHead: (body) => this.#unitHead(body),
      proposableTo: () => this.#proposableTo,
      readUnit: (body, signature) => this.#readUnit(body, signature),
      decided: (proposal, votes) => this.#make(proposal, votes),
      contradicted: (member) => this.#contradicted(member),
    };
  }

  /** The ids of the other members of the list. */
  get #others(): ReadonlySet<ByteString> {
    const members = new Set(this.#votingLists(this.#decisions?.last.list ?? 0)?.current.members);
    members.delete(this.#cluster.identity.id);
    return members;
  }

  #findDecision(orderKey: OrderKey): FoldedDecision | null {
    const { timeline } = this.#cluster;
    const parts = timeline.hasFolded(orderKey) ? timeline.read(orderKey) : null;
    if (parts === null || !isDecision(parts.body)) return null;
    const { slot, index, count, previous } = readDecision(parts.body);
    return {
      slot,
      previous,
      endSlot: slot - index + count - 1,
      list: this.#listOf(readCertificate(parts.signature)),
    };
  }

  #send(to: ByteString, message: DecisionMessage): void {
    const member = this.#cluster.members.get(to);
    if (member === undefined || member.status === null) return;
    member.connection.send({ kind: "decision", message: writeDecisionMessage(message) });
  }

  #unitHead(body: Buffer): Pick<WaitingUnit, "id" | "caller"> | null {
    try {
      return { id: this.#cluster.hash(signedBytes(body)), caller: readHead(body).key };
    } catch (problem) {
      if (problem instanceof MalformedFrame) return null;
      throw problem;
    }
  }

  #readUnit(body: Buffer, signature: Buffer): WaitingUnit | null {
    const unit = this.#cluster.checkUnit({ body, signature }, this.#isVerified);
    if (unit === null || !this.beginnings.decidesOn(unit.envelope)) return null;
    const waiting = this.#waitingUnit({ ...unit, body, signature });
    // The medians of honest members differ by at most this, and they send no unit before its date.
    if (waiting.earliest > this.#proposableTo + 2 * this.#cluster.limits.skewMs) return null;
    return waiting.until > this.#cluster.uptime() ? waiting : null;
  }

  /** Returns a unit that waits until its date is too old for a proposal. */
  #waitingUnit({ id, body, signature, envelope }: Entry): WaitingUnit {
    const { uptime, clock, limits } = this.#cluster;
    const { key: caller, at } = envelope;
    const age = Math.max(clock() - at, -limits.future);
    const until = uptime() + limits.past - age;
    return { id, caller, body, signature, earliest: this.#earliestOf(envelope, at), until };
  }

  /** Whether a unit waits here with the same signature, which was verified when it arrived. */
  readonly #isVerified: IsVerified = (id, signature) =>
    this.#decisions?.waitingUnit(id)?.signature.equals(signature) ?? false;

  /** Parses the decisions of a proposal and checks the signatures of their units. */
  #read(bodies: readonly Buffer[]): Proposal | null {
    try {
      const decisions: ProposedDecision[] = [];
      const room = new ProposalRoom();

      for (const body of bodies) {
        const decision = readDecision(body);
        const { unit } = decision;
        let envelope: Envelope | undefined;
        if (unit !== null) {
          const checked = this.#cluster.checkUnit(unit, this.#isVerified);
          if (checked === null || !room.takes(unit.body, checked.envelope)) return null;
          envelope = decidedEnvelope(decision, checked.envelope, checked.id);
        }
        decisions.push(this.#decisionOf(this.#entryOf(body, NO_SIGNATURE, envelope), decision));
      }

      return proposalOf(decisions, this.#cluster.hash);
    } catch (problem) {
      if (problem instanceof MalformedFrame) return null;
      throw problem;
    }
  }

  #decisionOf(entry: Entry, read = readDecision(entry.body)): ProposedDecision {
    const { id, body } = entry;
    const { slot, index, count, previous, at, seq } = read;
    const unit = unitIdOf(entry, this.#cluster.hash);
    const decision: ProposedDecision = { slot, index, count, previous, at, seq, id, unit, body };
    this.#entries.set(decision, entry);
    return decision;
  }

  /** Returns the entry of a decision, without its certificate. */
  #entryFor(decision: ProposedDecision): Entry {
    return this.#entries.get(decision) ?? this.#entryOf(decision.body);
  }

  #entryOf(body: Buffer, signature: Buffer = NO_SIGNATURE, envelope = readEntryBody(body)): Entry {
    return { id: this.#cluster.hash(signedBytes(body)), body, signature, envelope };
  }

  #propose(units: Servable | null, last: LastDecision, { notBefore, clock }: DateBounds): Proposal | null {
    const { timeline, limits } = this.#cluster;
    // A date that is too early would end a lifetime too early. If it is too far ahead, members object.
    const common = this.#members.commonClock(true);
    // The medians that honest members know differ by at most this. A member that lies names an earlier clock.
    const now = Math.max(Math.floor(Math.min(common, clock)), common - 2 * limits.skewMs);
    const end = now + PROPOSED_AHEAD_MS;
    const first = Math.max(now, timeline.watermark + 1, Math.min(notBefore, end));
    const previous = last.orderKey ?? { at: 0, seq: 0 };
    const usual = nextDate(first, [timeline.newest, previous]);
    // Entries with later dates delay only the units whose keys they change: any client may date entries ahead.
    const date = usual.at < end ? usual : nextDate(first, [previous]);
    const chosen = units === null ? [NO_UNIT] : this.#chosen(units, now, date, end);
    const earliest = chosen.reduce(
      (at, { envelope }) => (envelope === null ? at : Math.max(at, this.#earliestOf(envelope, envelope.at))),
      0,
    );
    const dates = datesFrom(earliest > date.at ? { at: earliest, seq: 0 } : date, chosen.length);
    const latest = dates.at(-1);
    if (latest === undefined || latest.at > end || !timeline.isFolded(latest.at)) return null;

    for (let count = chosen.length; ; ) {
      const decisions = this.#decisionsOn(chosen.slice(0, count), dates, last);
      if (decisions.length === count) return proposalOf(decisions, this.#cluster.hash);
      // Each decision contains their number.
      count = decisions.length;
    }
  }

  /**
   * Returns the envelopes that one proposal decides: the first ones whose keys have not changed from its date on, as
   * far as their bytes and commands permit.
   * @param end  the latest date of the proposal
   */
  #chosen(units: Servable, now: number, date: EnvelopeDate, end: number): ChosenUnit[] {
    const { timeline, limits } = this.#cluster;
    const uptime = this.#cluster.uptime();
    let isChanged: ReturnType<typeof timeline.changesFrom> | undefined;
    const isOvertaken = (unit: WaitingUnit): boolean => {
      if (isChanged === undefined) isChanged = timeline.changesFrom({ ...date, id: "" });
      if (isChanged === null) return false;
      if (uptime < (this.#testedFrom.get(unit) ?? uptime)) return true;
      const entry = { ...unit, envelope: { ...envelopeOf(unit), ...date } };
      if (!timeline.hasCode(entry) || !isChanged(entry)) return false;
      this.#testedFrom.set(unit, uptime + TEST_EVERY_MS);
      return true;
    };

    // The date that the client has signed is too old for a proposal.
    const isTooOld = ({ body }: WaitingUnit): boolean => readHead(body).at <= now - limits.past;

    // Only the envelope of the unit at hand is stored: many more may wait.
    let parsed: { readonly of: WaitingUnit; readonly envelope: Envelope } | null = null;
    const envelopeOf = (unit: WaitingUnit): Envelope => {
      if (parsed?.of !== unit) parsed = { of: unit, envelope: readBody(unit.body) };
      return parsed.envelope;
    };

    const isRefused = (unit: WaitingUnit): boolean => {
      const envelope = envelopeOf(unit);
      return (
        !this.beginnings.decidesOn(envelope) ||
        this.#isRecorded(unit.id, envelope) ||
        this.#beginsEarly(envelope) ||
        this.#earliestOf(envelope, envelope.at) > end
      );
    };

    const chosen: ChosenUnit[] = [];
    const room = new ProposalRoom();
    for (const unit of units((one) => isTooOld(one) || isRefused(one) || isOvertaken(one))) {
      const envelope = envelopeOf(unit);
      if (!room.takes(unit.body, envelope)) break;
      chosen.push({ unit, envelope });
      if (chosen.length === PROPOSAL_UNITS_MAX) break;
    }

    return chosen;
  }

  /** Returns the decisions on units, each evaluated after those before it. Fewer than all: the others have to wait. */
  #decisionsOn(
    units: readonly ChosenUnit[],
    dates: readonly EnvelopeDate[],
    last: LastDecision,
  ): ProposedDecision[] {
    const decisions: ProposedDecision[] = [];
    const decide = (index: number, outcomes: Decision["outcomes"]): Entry => {
      const previous = decisions[index - 1] ?? last.orderKey;
      const place = { slot: last.slot + 1 + index, index, count: units.length, previous };
      const { unit, envelope } = units[index] as ChosenUnit;
      const decision = { ...place, ...(dates[index] as EnvelopeDate), outcomes, unit };
      const decided = envelope === null ? undefined : decidedEnvelope(decision, { ...envelope }, unit.id);
      const entry = this.#entryOf(writeDecision(decision), NO_SIGNATURE, decided);
      decisions[index] = this.#decisionOf(entry, decision);
      return entry;
    };

    const envelopes = units.flatMap(({ envelope }, index) =>
      envelope === null ? [] : [{ ...envelope, ...dates[index] }],
    );
    const known: readonly Decision["outcomes"][] =
      envelopes.length === 0
        ? [["unmet"]]
        : this.#cluster.timeline.outcomesInTurn(envelopes, decide, PROPOSAL_STEPS_MAX);
    for (const outcomes of known.slice(decisions.length)) decide(decisions.length, outcomes);
    return decisions.slice(0, known.length);
  }

  #judge(proposal: Proposal): Judgement {
    const judgement = this.#judgementOn(proposal);
    this.#objection = judgement !== "yes" && "cause" in judgement ? judgement.cause : null;
    return judgement;
  }

  #judgementOn({ decisions }: Proposal): "yes" | Objection | CausedObjection {
    const { timeline, limits } = this.#cluster;
    const entries = decisions.map((decision) => this.#entryFor(decision));
    const now = this.commonClock;
    for (const { previous, ...decision } of decisions)
      if (previous !== null && !isLaterDate(decision, previous)) return objectionFrom(previous.at + 1);
    const [first, last] = [decisions[0], decisions.at(-1) as ProposedDecision];
    if (first.at <= timeline.watermark) return objectionFrom(timeline.watermark + 1);
    if (last.at > now + AHEAD_MS) return { ...objectionFrom(now), cause: "clock" };
    if (!timeline.isFolded(last.at)) return objectionBecause("entries");
    if (first.unit === null) return decisions.length === 1 ? "yes" : objectionBecause("outcome");

    const objected = (isObjected: (entry: Entry, index: number) => boolean): number[] =>
      entries.flatMap((entry, index) => (isObjected(entry, index) ? [index] : []));
    const units = new Set<ByteString | null>();
    const repeated = objected(({ envelope }, index) => {
      const { unit } = decisions[index] as ProposedDecision;
      const isKnown = unit === null || units.has(unit) || this.#isPart(unit, envelope);
      units.add(unit);
      return isKnown;
    });
    if (repeated.length > 0) return objectionBecause("outcome", repeated);
    // A member accepts a unit a little longer than its keeper proposes it, because clocks differ.
    const late = objected(({ envelope }) => !isInWindow(envelope, now, 2 * limits.past));
    if (late.length > 0) return objectionBecause("clock", late);
    // A pattern may have been removed since the unit was sent. An unreadable proposal would stop the other units.
    const undecided = objected(({ envelope }) => !this.beginnings.decidesOn(envelope));
    if (undecided.length > 0) return objectionBecause("entries", undecided);
    const early = objected(({ envelope }) => this.#beginsEarly(envelope));
    if (early.length > 0) return objectionBecause("entries", early);
    const earliest = ({ envelope }: Entry) =>
      this.#earliestOf(envelope, envelope.decided?.signed?.at ?? envelope.at);
    const ahead = objected((entry) => entry.envelope.at < earliest(entry));
    if (ahead.length > 0) {
      const latest = entries.reduce((date, entry) => Math.max(date, earliest(entry)), 0);
      return objectionFrom(latest, ahead);
    }
    const unreadable = objected((entry) => !timeline.hasCode(entry));
    if (unreadable.length > 0) return objectionBecause("code", unreadable);
    const isChanged = timeline.changesFrom(first);
    const changed = isChanged === null ? [] : objected(isChanged);
    if (changed.length > 0) return objectionFrom(timeline.newest.at + 1, changed);

    const isTooMuch = entries[0]?.envelope.decided?.outcomes[0] === "too-much";
    const known = timeline.outcomesInTurn(
      entries.map(({ envelope }) => envelope),
      (index) => entries[index] as Entry,
      isTooMuch ? PROPOSAL_STEPS_MAX / STEPS_FACTOR : PROPOSAL_STEPS_MAX * STEPS_FACTOR,
    );
    const wrong = objected(
      ({ envelope }, index) => known[index]?.join() !== envelope.decided?.outcomes.join(),
    );
    if (wrong.length === 0) return "yes";
    // It would be evaluated again and again before the objection: units that need many steps are proposed later.
    const isDear = isTooMuch || known.length < entries.length || known[0]?.[0] === "too-much";
    return isDear
      ? { ...objectionFrom(first.at + 1, wrong), cause: "outcome" }
      : objectionBecause("outcome", wrong);
  }

  /**
   * Whether a unit is part of the state: by a decision, or because a daemon that did not know a pattern has recorded
   * the envelope.
   */
  #isPart(unit: ByteString, { decide, decided }: Envelope): boolean {
    const { timeline } = this.#cluster;
    if (timeline.decided.find(unit) !== null) return true;
    const signed = decided?.signed ?? null;
    return !decide && signed !== null && timeline.holds({ ...signed, id: unit });
  }

  /** Whether an envelope that was signed with a date is an entry, and not dated so early that it may be removed. */
  #isRecorded(id: ByteString, { at, seq }: EnvelopeDate): boolean {
    const { timeline } = this.#cluster;
    return at > timeline.prunedTo && timeline.holds({ at, seq, id });
  }

  /** Whether a unit declares that a pattern has begun, although writes without a decision may still arrive here. */
  #beginsEarly({ commands }: Envelope): boolean {
    const [argv = []] = commands;
    if (patternWordOf(argv) !== "DECIDED") return false;
    const name = namedPattern(argv);
    return name === null || !this.beginnings.mayBegin(name);
  }

  #make({ decisions }: Proposal, { ballot, votes }: Votes): void {
    const { timeline, identity, hash } = this.#cluster;
    const paths = pathsOf(
      decisions.map(({ id }) => id),
      hash,
    );

    const entries = decisions.map((decision, index) => {
      const signature = writeCertificate({ ballot, path: paths[index] as ByteString[], votes });
      return { ...this.#entryFor(decision), signature };
    });

    this.#made = new Map(decisions.map((decision) => [decision.id, decision]));
    timeline.acceptDecisions(entries, identity.id);
    this.#made = new Map();
  }
}

/** A waiting envelope and its parsed body. */
type ChosenUnit = { readonly unit: WaitingUnit; readonly envelope: Envelope } | typeof NO_UNIT;

/** What the first decision under a new list decides. */
const NO_UNIT = { unit: null, envelope: null } as const;

const TWO_OF_ONE_SLOT =
  "two different decisions of one slot are part of the state: a member is broken or lies, or the slots have begun again after a restore, and an effect may have happened twice";
const PATTERN_REMOVED = "the pattern of its keys was removed, so that the members no longer decide on it";
const REMOVED = "the list of members no longer names it";
const DISK_FAILED = "its disk has failed";
const CONTRADICTED = "a member has voted for two decisions in one ballot: it is broken or lies";

const votingList = ({ hash, list: { number, members } }: SignedList): VotingList => ({
  number,
  hash,
  members: new Set(members),
});

/** Returns a proposal. @returns null if the decisions do not follow each other in one proposal */
function proposalOf(decisions: readonly ProposedDecision[], hash: ClusterState["hash"]): Proposal | null {
  const [first, ...others] = decisions;
  if (first === undefined || first.index !== 0 || first.count !== decisions.length) return null;

  let before = first;
  for (const decision of others) {
    const { slot, index, count, previous } = decision;
    const isNext = slot === before.slot + 1 && index === before.index + 1 && count === first.count;
    if (!isNext || previous === null || compareOrderKeys(previous, before) !== 0) return null;
    before = decision;
  }

  const root = rootOf(
    decisions.map(({ id }) => id),
    hash,
  );
  return { slot: first.slot, decisions: [first, ...others], root };
}

/** An objection that may resolve itself, with its cause. */
type CausedObjection = Objection & { readonly cause: Cause };

const objectionFrom = (notBefore: number, objected: readonly number[] = []): Objection => ({
  notBefore,
  objected,
});

const objectionBecause = (cause: Cause, objected: readonly number[] = []): CausedObjection => ({
  notBefore: 0,
  objected,
  cause,
});

/** Returns the dates of a number of decisions. */
function datesFrom(first: EnvelopeDate, count: number): EnvelopeDate[] {
  const dates: EnvelopeDate[] = [];
  for (let date = first; dates.length < count; date = dateAfter(date)) dates.push(date);
  return dates;
}

/** Returns the first date that is not before `first`, and later than all others. */
function nextDate(first: number, others: readonly EnvelopeDate[]): EnvelopeDate {
  let date: EnvelopeDate = { at: first, seq: 0 };
  for (const { at, seq } of others) {
    if (at > date.at || (at === date.at && seq >= date.seq)) date = dateAfter({ at, seq });
  }
  return date;
}

const isInWindow = ({ decided }: Envelope, now: number, past: number): boolean =>
  (decided?.signed?.at ?? now) > now - past;
