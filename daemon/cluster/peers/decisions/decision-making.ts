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
  isDecision,
  readDecision,
  readEntryBody,
  writeDecision,
} from "../../../../protocol/version-2/decision-body.js";
import { dateAfter, type Envelope, hexOf, signedBytes } from "../../../../protocol/version-2/envelope.js";
import { readHead } from "../../../../protocol/version-2/envelope-head.js";
import type { EnvelopeDate } from "../../../../protocol/version-2/messages-v2.js";
import type { Work } from "../../../net/process/background-work.js";
import { type Entry, type OrderKey, orderKeyOf } from "../../../timeline/entries/entry.js";
import type { MemberLists } from "../../members/member-lists.js";
import type { ClusterState, IsVerified } from "../shared/cluster-state.js";
import type {
  DecisionPorts,
  FoldedDecision,
  Judgement,
  Proposal,
  VoterState,
  VotingList,
  VotingLists,
  WaitingUnit,
} from "./decision-types.js";
import { Decisions } from "./decisions.js";
import type { Undecided } from "./undecided.js";

const NO_SIGNATURE = Buffer.alloc(0);

/** Why this daemon does not vote for a proposal, although another member may. */
type Objection = "clock" | "entries" | "code" | "outcome";

export class DecisionMaking {
  readonly #cluster: ClusterState;
  readonly #areLevel: (ids: ReadonlySet<ByteString>, upTo: number) => boolean;
  /** The ids of the members that have voted for two decisions in one ballot, since the start. */
  readonly contradicting = new Set<ByteString>();
  /** Why this daemon has not voted for the last proposal that it judged; null if it has. */
  #objection: Objection | null = null;
  #decisions: Decisions | null = null;
  /** Whether the decisions that were made before this start are known. Until then this daemon does not vote. */
  #areStoredKnown = false;
  /** The lists that were found last, and what they follow from. */
  #known: {
    readonly heads: MemberLists["heads"];
    readonly since: number;
    readonly size: number;
    readonly lists: VotingLists | null;
  } | null = null;

  /** @param areLevel  whether members are connected, and have the same entries up to a date as this daemon */
  constructor(cluster: ClusterState, areLevel: (ids: ReadonlySet<ByteString>, upTo: number) => boolean) {
    this.#cluster = cluster;
    this.#areLevel = areLevel;
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

  /** Why the members have made no decision for some time, although units wait; null if they have. */
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

  /** The number of waiting units. */
  get waiting(): number {
    return this.#decisions?.waiting ?? 0;
  }

  /** The number of the last decision that is part of the state. */
  get last(): number {
    return this.#decisions?.last.slot ?? 0;
  }

  /**
   * Returns why a unit cannot wait here for a decision; null if it can, or waits here, or a proposal of it is known.
   * @param id  the id of the envelope
   * @param bytes  the length of its body
   */
  obstacle(id: ByteString, bytes: number): string | null {
    const voting = this.isPossible ? this.#voting : null;
    return voting === null ? "it is not a voting member yet" : voting.obstacle(id, bytes);
  }

  /** Passes a client's unit to the members. @param id  the id of the envelope */
  submit(id: ByteString, body: Buffer, signature: Buffer): void {
    this.#voting?.submit(this.#waitingUnit(id, body, signature));
    this.#pin();
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
    this.#voting?.tick();
    this.#pin();
    this.#logUndecided();
  }

  /** Called when the lists have changed: they may permit this daemon to vote. Its open vote is known from then on. */
  listsChanged(): void {
    const isListed = this.#votingLists(this.#decisions?.last.list ?? 0) !== null;
    if (isListed && this.#decisions === null) this.#begin();
    this.isPossible = isListed && this.#areStoredKnown;
    this.#pin();
  }

  #logUndecided(): void {
    const { notices } = this.#cluster;
    const { undecided } = this;
    if (undecided === null) return;
    const { cause, milliseconds } = undecided;
    const members = undecided.members.map(hexOf);
    const { says } = UNDECIDED_CAUSES[cause];
    const why = says.replace("…", members.join(", "));
    notices.warn("undecided", { cause, members, milliseconds }, `units wait for a decision: ${why}`, cause);
  }

  /** Keeps the dates from an open vote on from becoming final. */
  #pin(): void {
    const { decided } = this.#cluster.timeline;
    const isKnown = this.#decisions !== null && !this.isAmnesic;
    const open = this.#decisions?.openDate ?? Number.POSITIVE_INFINITY;
    decided.openDate = isKnown ? open : Math.min(open, this.#storedDate);
  }

  /** The date of the stored vote, unless its decision is part of the state, or can no longer be. */
  get #storedDate(): number {
    const { timeline } = this.#cluster;
    const { storedVote } = timeline.decided;
    const isOpen =
      storedVote !== null && storedVote.at > timeline.published && !timeline.hasFolded(storedVote);
    return isOpen ? storedVote.at : Number.POSITIVE_INFINITY;
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
   * @param accepted  the decision for which this daemon has voted last, or null if there is none
   */
  *#noteStored(accepted: Proposal | null): Work {
    const { timeline } = this.#cluster;
    const { decided } = timeline;
    const parts = accepted !== null && timeline.hasFolded(accepted) ? timeline.read(accepted) : null;
    if (parts !== null) decided.note([this.#entryOf(parts.body, parts.signature)]);
    for (const found of decided.stored(decided.knownFrom)) {
      for (const { orderKey, body, signature } of found)
        if (timeline.hasFolded(orderKey)) decided.note([this.#entryOf(body, signature)]);
      yield;
    }
    this.#areStoredKnown = true;
  }

  #stateOf({ promised, accepted, last }: ReturnType<typeof readStoredPromises>): VoterState | null {
    const proposal = accepted === null ? null : this.#read(accepted.body);
    if (accepted !== null && proposal === null) return null;
    return { promised, last, accepted: accepted && proposal && { proposal, evidence: accepted.evidence } };
  }

  #folded(entries: readonly Entry[]): void {
    for (const entry of entries) this.#decisions?.folded(this.#proposalOf(entry), listOf(entry.signature));
    this.#pin();
  }

  /** @param since  the number of the list that made the last known decision */
  #votingLists(since: number): VotingLists | null {
    const { lists } = this.#cluster;
    if (lists === null || !lists.isReporting) return null;
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
      lists: (since) => this.#votingLists(since),
      isConnected: (id) => cluster.members.has(id),
      send: (to, message) => this.#send(to, message),
      save: ({ accepted, ...state }, then) => {
        const stored = accepted && { body: accepted.proposal.body, evidence: accepted.evidence };
        timeline.decided.storePromises(writeStoredPromises({ ...state, accepted: stored }), () => {
          then();
          this.#pin();
        });
        this.#pin();
      },
      isDecided: (unit) => timeline.decided.find(unit) !== null,
      findDecision: (orderKey) => this.#findDecision(orderKey),
      areLevel: (upTo) => this.#areLevel(this.#others, upTo),
      prunedTo: () => timeline.prunedTo,
      propose: (unit, last, notBefore) => this.#propose(unit, last, notBefore),
      latestDate: () => cluster.clock() + cluster.limits.future,
      judge: (proposal) => this.#judge(proposal),
      read: (body) => this.#read(body),
      readUnit: (body, signature) => this.#readUnit(body, signature),
      decided: (proposal, certificate) => this.#made(proposal, certificate),
      contradicted: (member) => {
        this.contradicting.add(member);
        cluster.log.error({ member: hexOf(member) }, CONTRADICTED);
      },
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
    const { slot, previous } = readDecision(parts.body);
    return { slot, previous, list: listOf(parts.signature) };
  }

  #send(to: ByteString, message: DecisionMessage): void {
    const member = this.#cluster.members.get(to);
    if (member === undefined || member.status === null) return;
    member.connection.send({ kind: "decision", message: writeDecisionMessage(message) });
  }

  #readUnit(body: Buffer, signature: Buffer): WaitingUnit | null {
    const unit = this.#cluster.checkUnit({ body, signature }, this.#isVerified);
    if (unit === null) return null;
    const waiting = this.#waitingUnit(unit.id, body, signature);
    return waiting.until > this.#cluster.uptime() ? waiting : null;
  }

  /** Returns a unit that waits until its date is too old for a proposal. */
  #waitingUnit(id: ByteString, body: Buffer, signature: Buffer): WaitingUnit {
    const { uptime, clock, limits } = this.#cluster;
    const age = Math.max(clock() - readHead(body).at, -limits.future);
    return { id, body, signature, until: uptime() + limits.past - age };
  }

  /** Whether a unit waits here with the same signature, which was verified when it arrived. */
  readonly #isVerified: IsVerified = (id, signature) =>
    this.#decisions?.waitingUnit(id)?.signature.equals(signature) ?? false;

  /** Parses a decision and checks its unit's signature. */
  #read(body: Buffer): Proposal | null {
    try {
      const { unit } = readDecision(body);
      if (unit !== null && this.#cluster.checkUnit(unit, this.#isVerified) === null) return null;
      return this.#proposalOf(this.#entryOf(body));
    } catch (problem) {
      if (problem instanceof MalformedFrame) return null;
      throw problem;
    }
  }

  #proposalOf({ id, body }: Entry): Proposal {
    const { slot, previous, at, seq, unit } = readDecision(body);
    const decides = unit === null ? null : this.#cluster.hash(signedBytes(unit.body));
    return { id, slot, previous, at, seq, unit: decides, body };
  }

  #entryOf(body: Buffer, signature: Buffer = NO_SIGNATURE): Entry {
    return { id: this.#cluster.hash(signedBytes(body)), body, signature, envelope: readEntryBody(body) };
  }

  #propose(unit: WaitingUnit | null, last: LastDecision, notBefore: number): Proposal | null {
    const { timeline, clock, limits } = this.#cluster;
    const now = clock();
    const first = Math.max(now, timeline.watermark + 1, notBefore);
    const { at, seq } = nextDate(first, [timeline.newest, last.orderKey ?? { at: 0, seq: 0 }]);
    if (at > now + limits.future || !timeline.isFolded(at)) return null;
    const decision = { slot: last.slot + 1, previous: last.orderKey, at, seq };
    if (unit === null)
      return this.#proposalOf(this.#entryOf(writeDecision({ ...decision, outcome: "unmet", unit })));
    const draft = this.#entryOf(writeDecision({ ...decision, outcome: "applied", unit }));
    if (!isInWindow(draft.envelope, now, limits.past)) return null;
    if (timeline.conditionsHold(draft.envelope)) return this.#proposalOf(draft);
    return this.#proposalOf(this.#entryOf(writeDecision({ ...decision, outcome: "unmet", unit })));
  }

  #judge(proposal: Proposal): Judgement {
    const judgement = this.#judgementOn(proposal);
    const isObjection = typeof judgement === "string" && judgement !== "yes";
    this.#objection = isObjection ? judgement : null;
    return isObjection ? "wait" : judgement;
  }

  #judgementOn({ body, previous, at, unit }: Proposal): Exclude<Judgement, "wait"> | Objection {
    const { timeline, clock, limits } = this.#cluster;
    const entry = this.#entryOf(body);
    const { envelope } = entry;
    const now = clock();
    if (previous !== null && !isAfter(orderKeyOf(entry), previous)) return { notBefore: previous.at + 1 };
    if (at <= timeline.watermark) return { notBefore: timeline.watermark + 1 };
    if (at > now + limits.future) return "clock";
    if (!timeline.isFolded(at)) return "entries";
    if (envelope.decided?.signed === null) return "yes";
    const isKnown = unit === null || timeline.decided.find(unit) !== null;
    // A member accepts a unit a little longer than its keeper proposes it, because clocks differ.
    if (isKnown) return "outcome";
    if (!isInWindow(envelope, now, 2 * limits.past)) return "clock";
    if (!timeline.hasCode(entry)) return "code";
    if (timeline.hasChangedAfter(entry)) return { notBefore: timeline.newest.at + 1 };
    return timeline.conditionsHold(envelope) === (envelope.decided?.outcome === "applied")
      ? "yes"
      : "outcome";
  }

  #made({ body }: Proposal, certificate: Certificate): void {
    const { timeline, identity } = this.#cluster;
    const entry = this.#entryOf(body, writeCertificate(certificate));
    timeline.acceptDecision(entry, identity.id);
  }
}

/** Returns the number of the member list that made a decision. @param signature  its certificate */
const listOf = (signature: Buffer): number => readCertificate(signature)?.ballot.list ?? 0;

const CONTRADICTED = "a member has voted for two decisions in one ballot: it is broken or lies";

const votingList = ({ hash, list: { number, members } }: SignedList): VotingList => ({
  number,
  hash,
  members: new Set(members),
});

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

const isAfter = (one: OrderKey, other: OrderKey): boolean =>
  one.at > other.at || (one.at === other.at && one.seq > other.seq);
