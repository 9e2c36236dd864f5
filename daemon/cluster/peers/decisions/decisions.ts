/**
 * Decides which conditional units are applied, one after the other. A unit waits here until the members have decided
 * it: a *keeper* proposes its position and outcome, and the votes of a majority of the member list make the decision.
 * It acts only on calls, messages and `tick`. Source: docs/protocol-v2.md "Decisions".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  ATTEMPT_MAX,
  type Ballot,
  compareBallots,
  type DecisionMessage,
  type Evidence,
  type LastDecision,
  type PromiseMessage,
  proposalBytes,
  ROUND_MAX,
  type Vote,
  voteBytes,
} from "../../../../protocol/members/decision-messages.js";
import type { MemberSignature } from "../../../../protocol/members/member-signature.js";
import { PROPOSAL_UNITS_MAX } from "../../../../protocol/version-2/decision-body.js";
import { FairQueue } from "../../../engine/backends/fair-queue.js";
import { WaitingShares } from "../../../engine/backends/fair-shares.js";
import type { Work } from "../../../net/process/background-work.js";
import { compareOrderKeys, type OrderKey } from "../../../timeline/entries/entry.js";
import { DecisionChain } from "./decision-chain.js";
import type {
  Accepted,
  DecisionPorts,
  GiveUp,
  Objection,
  PromiseOf,
  Proposal,
  ProposedDecision,
  VoterState,
  VotingList,
  VotingLists,
  WaitingUnit,
} from "./decision-types.js";
import { Keeper, nextAttempt } from "./keeper.js";
import { MajoritySilence } from "./majority-silence.js";
import { MessageLimit, Turns } from "./member-limits.js";
import { Recovery } from "./recovery.js";
import { PATIENCE_MS_MAX, Timeouts } from "./timeouts.js";
import { type Obstacle, type Undecided, UndecidedTime } from "./undecided.js";
import { followsOthers, isMajority, isPromised, VoteCount } from "./vote-count.js";
import { bodiesOf, isSameTurn, NO_OBJECTION, Voter, votedIn } from "./voter.js";

/**
 * Milliseconds after which a client's unit is sent to the keeper, which usually receives it from the client; if a
 * proposal waits for votes, the milliseconds that the unit was here before that proposal.
 */
const FORWARD_AFTER_MS = 20;
/** The factor by which an earlier maximum of `proposalMs` shrinks with each proposal. */
const PROPOSAL_DECAY = 0.9;
/** Milliseconds after which it is sent again: too many units may wait at the keeper, or the message may be lost. */
const FORWARD_AGAIN_MS = 2_000;
/** The maximum number of waiting units, and of their bytes. Keys have shares of both; further units are refused. */
const UNITS_MAX = 4096;
const UNIT_BYTES_MAX = 64 * 1024 * 1024;
/**
 * Milliseconds that a unit waits, although other units are decided, until this daemon becomes the keeper; at least this
 * multiple of `#patience`.
 */
const STARVING_MS = 10_000;
const STARVING_PATIENCE = 4;
/**
 * Milliseconds for which all members have the same entries until a decision that none of them has is lost: its entry
 * was damaged, for example. Members report their entries every 2 s.
 */
const LOST_AFTER_MS = 10_000;
/**
 * Maximum milliseconds for which a unit is held that no keeper proposes any longer, because an earlier proposal of it
 * may be decided: as long as its client waits. A member that lies could repeat that proposal for ever.
 */
const HELD_MS = 20_000;
/** Milliseconds between two requests of a member that has lost its promises. */
const RECOVERY_MS = 250;

/** The maximum random addition to this daemon's patience, for members that do not see the same ones connected. */
const RANDOM_SHARE = 1 / 8;
/** The reasons for which a unit does not wait here, or no longer: clauses. */
const SHARE_USED =
  "the waiting units of its key would use more room than remains free for other keys: send fewer at the same time";
const PROMISES_LOST =
  "it may have lost its promises, and does not vote until all other members have answered";
const NO_MAJORITY = "it is not connected to a majority of the members";
const SILENT = "it has received nothing from a majority of the members for some seconds";
const TOO_OLD = "no member proposed it before its date was too old (--window)";
const EARLIER_AWAY =
  "members that may have decided under an earlier list are not connected: start or replace those that dbsync status names";
const PAIR_IS_APART =
  "it is not connected to the other member; a pair decides only while both run: add a third daemon, or use the policy first";

/** A unit that waits, and the member to which it was sent last. */
interface Waiting extends WaitingUnit {
  readonly since: number;
  /** When no keeper proposes it any longer, `uptime` milliseconds: as in `WaitingUnit`, or earlier. */
  until: number;
  /** Why no keeper proposes it from then on. */
  endReason: string;
  /** Answers the clients of this daemon that wait for it. */
  readonly giveUps: GiveUp[];
  /** Whether this daemon has proposed it, as the keeper. */
  isProposed: boolean;
  /** Whether the keeper does not receive it from the client. */
  readonly isOnlyHere: boolean;
  sentTo: ByteString | null;
  sentAt: number;
}

/** Whether a unit was proposed, or another member may have received it. */
const wasSent = ({ isOnlyHere, isProposed, sentTo }: Waiting): boolean =>
  !isOnlyHere || isProposed || sentTo !== null;

type Propose = DecisionMessage & { kind: "propose" };
type SentUnit = DecisionMessage & { kind: "unit" };

/** A proposal that this daemon has not judged yet. */
interface Pending {
  readonly from: ByteString;
  readonly message: Propose;
  readonly proposal: Proposal;
  readonly since: number;
}

export class Decisions {
  readonly #ports: DecisionPorts;
  readonly #signatures: SignatureChecks;
  readonly #timeouts: Timeouts;
  readonly #voter: Voter;
  readonly #votes = new VoteCount();
  readonly #keeper: Keeper;
  /** The waiting units by id. */
  readonly #units = new Map<ByteString, Waiting>();
  /**
   * Units that no keeper can propose, by id: their date is not reached, or they have ended, and an earlier proposal of
   * them may be decided. They use room, but no decision is needed: a keeper that can propose nothing would be replaced.
   */
  readonly #heldUnits = new Map<ByteString, Waiting>();
  /** The waiting units, in the order in which a keeper proposes them. */
  readonly #queue = new FairQueue<Waiting>();
  readonly #shares = new WaitingShares(UNITS_MAX, UNIT_BYTES_MAX);
  readonly #chain: DecisionChain;
  #pending: Pending | null = null;
  /** The latest ballot that a member has reported. */
  #seen: Ballot | null = null;
  #recovery: Recovery | null = null;
  #nextRecoveryAt = 0;
  #patience = 0;
  /**
   * When a decision was last made, or could be made again; `uptime` milliseconds. It moves on while this process does
   * not run.
   */
  #progressAt = 0;
  /** When this daemon, while it needed a decision, was last connected to the keeper; `uptime` milliseconds. */
  #reachedAt = 0;
  #listHash: ByteString = "";
  readonly #turns = new Turns();
  readonly #limit = new MessageLimit();
  /** Limits how many units that are not valid each member can send, because each costs a verification. */
  readonly #invalidUnits = new MessageLimit();
  readonly #undecidedTime = new UndecidedTime();
  readonly #silence: MajoritySilence;
  /** The last slot of which this daemon has counted the votes of a majority. */
  #counted = 0;
  /** The last slot for whose decisions the members may send more messages. */
  #creditedSlot = 0;
  /** Whether units have arrived in this turn of the event loop. */
  #hasArrivals = false;
  /** When the latest proposal of another member arrived; `uptime` milliseconds. */
  #proposedAt = 0;
  /** When the one before it arrived. */
  #previousProposedAt = 0;
  /**
   * Milliseconds from `#proposedAt` until the decisions were part of the state: the maximum, in which earlier ones
   * count less. The next proposal takes about as long to arrive.
   */
  #proposalMs = 0;
  /** When the unit arrived that waits longest, as of the last tick; `uptime` milliseconds. */
  #oldest = 0;
  /** When this daemon was last the keeper, or about to be; `uptime` milliseconds. */
  #keptAt = 0;
  /**
   * When all members were first found to have the same entries, while a decision is missing here and this daemon has
   * not voted since; null: they have not.
   */
  #levelSince: number | null = null;
  /** The vote that this daemon had then, if its decisions may not have been made. */
  #levelVote: Accepted | null = null;
  /** This daemon and the members that are connected. */
  readonly #connected = {
    has: (id: ByteString): boolean => id === this.#ports.own.id || this.#ports.isConnected(id),
  };

  /** @param stored  the stored state, or null if it may have been lost */
  constructor(ports: DecisionPorts, stored: VoterState | null) {
    this.#ports = ports;
    this.#signatures = new SignatureChecks(ports, () => this.#lists());
    this.#chain = new DecisionChain(ports);
    this.#timeouts = new Timeouts(ports.uptime);
    this.#silence = new MajoritySilence(ports.silentAfterMs);
    this.#voter = new Voter(ports, this.#timeouts, stored);

    this.#keeper = new Keeper(
      ports,
      {
        lists: () => this.#lists(),
        last: () => this.#voter.last,
        isIncomplete: () => this.#chain.isIncomplete,
        waiting: () => this.#queue.inTurn(),
        postpone: (unit) => this.#postpone(unit),
        proposing: (proposal) => this.#markProposed(proposal),
        broadcast: (message) => this.#broadcast(message),
        voted: (vote) => this.#voted(vote),
        follow: (last) => this.#follow(last),
      },
      this.#voter,
      this.#votes,
      this.#timeouts,
    );
  }

  /** The last decision that is part of the state, like all before it. */
  get last(): LastDecision {
    return this.#voter.last;
  }

  /** Whether a decision and all before it are part of the state. */
  hasAllUpTo(slot: number): boolean {
    return slot <= this.last.slot || this.#chain.continues(this.last, slot);
  }

  /**
   * Returns the date up to which all decisions are part of the state; infinity: none is known to be missing. A missing
   * decision may have the date of the last one, in the same millisecond, so that this date does not count. Decisions
   * that were not read yet are not missing: a member that was added reads all decisions of its cluster, which takes
   * minutes.
   * @param areStoredKnown  whether this daemon knows all decisions that it has stored
   */
  completeTo(areStoredKnown: boolean): number {
    if (areStoredKnown && this.#chain.missingUpTo === null) return Number.POSITIVE_INFINITY;
    return (this.last.orderKey?.at ?? 0) - 1;
  }

  /** The date of the first decision that may have been made, although it is not part of the state; null if none may. */
  get openDate(): number | null {
    return this.#voter.open?.proposal.decisions[0].at ?? null;
  }

  /** How often this daemon has promised a ballot of another keeper, or of another round, since the start. */
  get keeperChanges(): number {
    return this.#voter.keeperChanges;
  }

  /** Whether this daemon may have lost earlier votes, and so does not vote. */
  get isAmnesic(): boolean {
    return this.#voter.isAmnesic;
  }

  /**
   * The ids of the members that have to answer before this daemon votes again, or whose decisions it needs; empty if it
   * votes.
   */
  get missingPromises(): readonly ByteString[] {
    const recovery = this.#recovery;
    if (recovery === null) return [];
    return recovery.isComplete ? recovery.aheadOf(this.last) : recovery.missing;
  }

  /** Why the members have made no decision for some time, although one is required; null if they have. */
  get undecided(): Undecided | null {
    const now = this.#ports.uptime();
    const lists = this.#lists();
    if (lists === null) return null;
    const milliseconds = this.#undecidedTime.at(now);
    if (milliseconds !== null) return { milliseconds, ...this.#obstacle(lists) };
    if (this.#units.size === 0 || now - this.#oldest < 2 * STARVING_MS) return null;
    return { milliseconds: now - this.#oldest, cause: "passed-over", members: this.#promisedMembers };
  }

  /** The ids of the members that repeatedly prevent decisions without a benefit. */
  get disturbing(): readonly ByteString[] {
    if (!this.#canDecide) return [];
    const found = new Set([...this.#turns.vain(this.#ports.uptime()), ...this.#keeper.objectors]);
    found.delete(this.#ports.own.id);
    return [...found];
  }

  get #promisedMembers(): readonly ByteString[] {
    const { promised } = this.#voter;
    return promised === null ? [] : [promised.member];
  }

  #obstacle(lists: VotingLists): Obstacle {
    const { current, earlier, unknown } = lists;
    const { own, isConnected, latestDate } = this.#ports;
    const { promised } = this.#voter;
    const others = [...current.members].filter((id) => id !== own.id);

    if (this.#voter.isAmnesic) return { cause: "promises-lost", members: this.missingPromises };
    if (!this.#isMajorityConnected)
      return { cause: "no-majority", members: others.filter((id) => !isConnected(id)) };
    if (!this.#canDecide) {
      const isEarlier = (id: ByteString) => unknown.has(id) || earlier.some(({ members }) => members.has(id));
      return { cause: "earlier-list", members: others.filter((id) => !isConnected(id) && isEarlier(id)) };
    }
    if (promised?.listHash === current.hash && promised.round > latestDate())
      return { cause: "round-ahead", members: [promised.member] };
    if (this.#keeper.obstacle !== null) return this.#keeper.obstacle;
    if (promised === null || promised.member === own.id)
      return { cause: "promises", members: others.filter(isConnected) };
    return { cause: "keeper", members: [promised.member] };
  }

  /** The id of the member that may propose decisions; null: none may. */
  get keeper(): ByteString | null {
    const list = this.#lists()?.current;
    return list === undefined ? null : this.#keeperOf(list);
  }

  #lists(): VotingLists | null {
    return this.#ports.lists(this.last.list);
  }

  /** The number of waiting units. */
  get waiting(): number {
    return this.#units.size;
  }

  /** The signing keys with waiting units, and the numbers of these. */
  get waitingByKey(): ReturnType<FairQueue<Waiting>["counts"]> {
    return this.#queue.counts();
  }

  /** Returns the unit with an id that waits, or that is held. */
  waitingUnit(id: ByteString): WaitingUnit | undefined {
    return this.#findUnit(id);
  }

  #findUnit(id: ByteString): Waiting | undefined {
    return this.#units.get(id) ?? this.#heldUnits.get(id);
  }

  /**
   * Adds a unit of a client, or of another member, whose signature is verified.
   * @param isOnlyHere  whether the keeper does not receive it from the client, so that it is sent to it immediately
   * @param giveUp  null: no client of this daemon waits for it
   */
  submit(unit: WaitingUnit, isOnlyHere = false, giveUp: GiveUp | null = null): void {
    const known = this.#findUnit(unit.id);
    // A member may have sent it before, or its client sends it again.
    if (known !== undefined && giveUp !== null) known.giveUps.push(giveUp);
    if (known !== undefined || this.#ports.isPart(unit.id, unit.body)) return;
    if (!this.#shares.take(unit.caller, unit.body.length)) return;

    const since = this.#ports.uptime();
    const waiting: Waiting = {
      ...unit,
      since,
      endReason: TOO_OLD,
      giveUps: giveUp === null ? [] : [giveUp],
      isProposed: false,
      isOnlyHere,
      sentTo: null,
      sentAt: 0,
    };
    if (unit.earliest > this.#ports.proposableTo()) this.#heldUnits.set(unit.id, waiting);
    else this.#addUnit(waiting);
  }

  /** Adds a unit that a keeper can propose. */
  #addUnit(unit: Waiting): void {
    if (this.#units.size === 0) this.#wait(this.#ports.uptime());
    this.#units.set(unit.id, unit);
    this.#queue.add(unit);
    if (this.#hasArrivals) return;

    // What arrives together is proposed together.
    this.#hasArrivals = true;
    this.#ports.nextTurn(() => {
      this.#hasArrivals = false;
      if (this.#keeper.isActive) this.#keeper.advance();
      else this.tick();
    });
  }

  /**
   * Returns why a unit cannot wait here for a decision, so that the members can decide it only if another one has
   * received it. Null if it can, or waits here, or a proposal of it is known.
   * @param id  the id of the envelope
   * @param caller  the id of the key that has signed it
   * @param bytes  the length of its body
   * @param isOnlyHere  as in `submit`: a member that may have lost its promises sends no units on
   */
  obstacle(id: ByteString, caller: ByteString, bytes: number, isOnlyHere = false): string | null {
    if (this.isKnown(id)) return null;
    if (!this.#shares.has(caller, bytes)) return SHARE_USED;
    if (isOnlyHere && this.isAmnesic) return PROMISES_LOST;
    const reason = this.#lackOfMajority;
    if (reason !== null) this.#undecidedTime.refused(this.#ports.uptime());
    return reason;
  }

  /** Why the members that this daemon hears can make no decision; null: they are a majority. */
  get #lackOfMajority(): string | null {
    if (this.#canDecide) return this.#silence.isSilent ? SILENT : null;
    if (this.#isMajorityConnected) return EARLIER_AWAY;
    return this.#lists()?.current.members.size === 2 ? PAIR_IS_APART : NO_MAJORITY;
  }

  /** Whether a unit waits here, or a proposal of it is known, so that the members may decide on it. */
  isKnown(id: ByteString): boolean {
    if (this.#findUnit(id) !== undefined) return true;
    const open = this.#voter.open?.proposal.decisions ?? [];
    return open.some(({ unit }) => unit === id) || this.#votes.hasProposalOf(id);
  }

  get #isMajorityConnected(): boolean {
    const list = this.#lists()?.current;
    return list !== undefined && isMajority(list, this.#connected);
  }

  /** Whether enough members are connected, also of earlier lists that may have made decisions. */
  get #canDecide(): boolean {
    const lists = this.#lists();
    return lists !== null && isPromised(lists, this.#connected);
  }

  /** Moves a unit after the other waiting units of its key, and its key after the other keys. */
  #postpone(id: ByteString): void {
    const unit = this.#units.get(id);
    if (unit === undefined) return;
    this.#queue.served(unit);
    this.#queue.add(unit);
  }

  /** Called when this daemon is about to propose decisions, as the keeper. */
  #markProposed({ decisions }: Proposal): void {
    for (const { unit } of decisions) {
      const waiting = unit === null ? undefined : this.#units.get(unit);
      if (waiting !== undefined) waiting.isProposed = true;
    }
  }

  /** Yields the units that wait, and those that are held. Units may be removed meanwhile. */
  *#allUnits(): Generator<Waiting> {
    yield* this.#units.values();
    yield* this.#heldUnits.values();
  }

  /** Lets the clients of this daemon no longer wait for the decision on a unit. */
  #giveUp(unit: Waiting, reason: string): void {
    for (const giveUp of unit.giveUps.splice(0)) giveUp(wasSent(unit), reason);
  }

  /** Removes a unit without a decision. This daemon sends it to no member any longer. */
  #drop(unit: Waiting, reason: string): void {
    this.#removeUnit(unit.id);
    this.#giveUp(unit, reason);
  }

  /** Lets no client wait while a majority is silent. */
  #giveUpIfSilent(): void {
    if (!this.#silence.isSilent) return;
    for (const unit of this.#allUnits()) {
      if (unit.giveUps.length === 0) continue;
      // The command would take effect long after the error. An envelope of a client stays: the client may send it
      // again, and other members may have it, so that "not applied" would be wrong then.
      if (unit.isOnlyHere) this.#drop(unit, SILENT);
      else this.#giveUp(unit, SILENT);
    }
  }

  /** Drops the units that no keeper proposes any longer. It holds those of which a proposal is known. */
  #dropEnded(now: number): void {
    let proposed: ReadonlySet<ByteString | null> | null = null;
    for (const unit of this.#allUnits()) {
      if (now < unit.until) continue;
      proposed ??= this.#proposedUnits();
      if (!proposed.has(unit.id) || now >= unit.until + HELD_MS) this.#drop(unit, unit.endReason);
      else if (this.#units.has(unit.id)) this.#hold(unit);
    }
  }

  #proposedUnits(): ReadonlySet<ByteString | null> {
    const open = this.#voter.open?.proposal.decisions ?? [];
    return new Set([...this.#votes.proposedUnits(), ...open.map(({ unit }) => unit)]);
  }

  /** Keeps a waiting unit apart. */
  #hold(unit: Waiting): void {
    this.#units.delete(unit.id);
    this.#queue.served(unit);
    this.#heldUnits.set(unit.id, unit);
  }

  /**
   * Ends units: from now on, no keeper proposes them.
   * @param isOver  whether a unit is one of them
   * @param reason  a clause, as from `obstacle`
   */
  *end(isOver: (unit: WaitingUnit) => boolean, reason: string): Work {
    for (const id of Array.from(this.#allUnits(), (unit) => unit.id)) {
      const unit = this.#findUnit(id);
      if (unit !== undefined && isOver(unit)) {
        unit.until = Math.min(unit.until, this.#ports.uptime());
        unit.endReason = reason;
      }
      yield;
    }
  }

  /** Drops all units, because this daemon will receive no decision. @param reason  a clause, as from `obstacle` */
  dropAll(reason: string): void {
    for (const unit of this.#allUnits()) this.#drop(unit, reason);
  }

  /** Called when a unit no longer waits. Its key follows the other keys. */
  #removeUnit(id: ByteString): void {
    const unit = this.#findUnit(id);
    if (unit === undefined) return;
    this.#heldUnits.delete(id);
    if (this.#units.delete(id)) this.#queue.served(unit);
    this.#shares.give(unit.caller, unit.body.length);
  }

  /**
   * Called when entries are part of the state. A waiting unit may be one of them: a daemon that did not know a pattern
   * has recorded it. Members would object to it, and later units of its key would wait for it.
   */
  recorded(entries: readonly { readonly id: ByteString }[]): void {
    if (this.#units.size + this.#heldUnits.size === 0) return;
    for (const { id } of entries) this.#removeUnit(id);
  }

  /**
   * Called when decisions are part of the state.
   * @param decisions  in order, each with the number of the member list that made it
   */
  folded(decisions: readonly { readonly decision: ProposedDecision; readonly list: number }[]): void {
    for (const { decision, list } of decisions) {
      const { slot, index, count, previous, unit } = decision;
      if (unit !== null) this.#removeUnit(unit);
      this.#creditOpen(decision);
      if (index === 0) this.#correct(decision);
      const endSlot = slot - index + count - 1;
      if (slot > this.last.slot) this.#chain.add({ slot, previous, endSlot, list }, decision);
      this.#follow(null);
    }

    this.#keeper.advance();
    this.#judge();
  }

  receive(from: ByteString, message: DecisionMessage): void {
    switch (message.kind) {
      case "unit":
        this.#receiveUnit(from, message);
        break;
      case "promise-request":
        this.#promise(from, message.ballot);
        break;
      case "promise":
        this.#receivePromise(from, message);
        break;
      case "propose":
        this.#proposed(from, message);
        break;
      case "vote":
        this.#receiveVote(from, message.vote);
        break;
      case "outvoted":
        if (!this.#isVoting(message.ballot)) break;
        this.#see(message.ballot);
        this.#recovery?.outvoted(from, message.ballot);
        break;
    }
  }

  /** Verifies the signature of a unit only if it may wait here. */
  #receiveUnit(from: ByteString, { body, signature }: SentUnit): void {
    const head = this.#ports.unitHead(body);
    if (head === null || this.#findUnit(head.id) !== undefined || this.#ports.isPart(head.id, body)) return;
    if (!this.#shares.has(head.caller, body.length)) return;

    const now = this.#ports.uptime();
    // Only a unit that is not valid counts.
    if (!this.#invalidUnits.admits(from, now, 0)) return;
    const unit = this.#ports.readUnit(body, signature);
    if (unit === null) this.#invalidUnits.admits(from, now);
    else this.submit(unit);
  }

  tick(): void {
    const now = this.#ports.uptime();
    const lists = this.#lists();
    const { own, roundTrip } = this.#ports;
    const stopped = this.#timeouts.tick(own.id, lists?.current ?? null, roundTrip);
    this.#progressAt = Math.min(this.#progressAt + stopped, now);
    this.#silence.tick(now, this.#ports.majorityHeardAt(), stopped);
    this.#giveUpIfSilent();
    this.#dropEnded(now);
    this.#oldest = now;
    for (const { since } of this.#units.values()) this.#oldest = Math.min(this.#oldest, since);
    this.#releaseHeld(now);

    if (lists === null || (!this.#isNeeded && this.#keeper.isPreparing)) this.#keeper.stop();
    if (lists === null) return;
    this.#undecidedTime.tick(this.#isNeeded, this.#lackOfMajority !== null, now);
    if (lists.current.hash !== this.#listHash) {
      this.#listHash = lists.current.hash;
      this.#keeper.stop();
      this.#wait(now);
    }
    this.#follow(null);
    this.#skipLost(now);
    if (this.#voter.isAmnesic) {
      this.#tickRecovery(lists, now);
      return;
    }

    this.#keeper.tick(now);
    if (this.#keeper.giveUpIfOutvoted(this.#seen, this.#patience)) this.#wait(now);
    this.#judge();
    if (this.#keeper.isActive) this.#keptAt = now;
    else if (this.#isNeeded) this.#findKeeper(lists, now);
  }

  /** Adds the held units whose date is reached to those that wait. */
  #releaseHeld(now: number): void {
    if (this.#heldUnits.size === 0) return;
    const proposableTo = this.#ports.proposableTo();
    for (const [id, unit] of this.#heldUnits) {
      if (unit.earliest > proposableTo || now >= unit.until) continue;
      this.#heldUnits.delete(id);
      this.#addUnit({ ...unit, since: now });
    }
  }

  /** Whether a decision is to be made. The first one after a new member list closes the earlier lists. */
  get #isNeeded(): boolean {
    const lists = this.#lists();
    return this.#units.size > 0 || this.#voter.open !== null || (lists !== null && followsOthers(lists));
  }

  /** Sends the units to the keeper, or becomes the keeper if there is none. */
  #findKeeper({ current }: VotingLists, now: number): void {
    const own = this.#ports.own.id;
    const keeper = this.#keeperOf(current);
    const isReachable = keeper !== null && keeper !== own && this.#ports.isConnected(keeper);
    if (isReachable) {
      this.#reachedAt = now;
      if (this.#ports.isReady(keeper)) this.#forward(keeper, now);
    }
    if (this.#timeouts.isReading) return;
    const { patienceMs, rankMs } = this.#timeouts;
    const rankWait = this.#rank(current, keeper) * rankMs;
    const isStarving = this.#isStarving(rankWait, now);
    const patience = Math.max(this.#patience, patienceMs);
    const wait = isReachable ? patience + rankWait : keeper === own ? 0 : rankWait;
    const since = isReachable ? this.#progressAt : Math.max(this.#progressAt, this.#reachedAt);

    if (now - since < wait && !isStarving) return;
    // The other members would ignore its ballot, and this daemon could not vote in that of the present keeper.
    if (isReachable && !this.#turns.mayBegin(own, now)) return;
    if (this.#hasKeeper) this.#turns.begin(own, now, this.#canDecide);
    this.#keptAt = now;
    this.#wait(now);
    this.#patience = Math.max(this.#patience, Math.min(2 * this.#patience, PATIENCE_MS_MAX));

    const ballot = this.#nextBallot(current);
    if (ballot.round <= ROUND_MAX) this.#keeper.prepare(ballot);
  }

  /**
   * Returns the member whose ballot this daemon has promised under a list; null if there is none. If that is its own,
   * it may have been cut off: it learns from the others that another member is the keeper now.
   */
  #keeperOf({ hash }: VotingList): ByteString | null {
    const { id } = this.#ports.own;
    const { promised } = this.#voter;
    const seen = this.#seen;
    const isReplaced = promised?.member === id && seen?.member !== id && compareBallots(seen, promised) > 0;
    const latest = isReplaced ? seen : promised;
    return latest?.listHash === hash ? latest.member : null;
  }

  /** Returns this daemon's number among the connected members of a list that may replace the keeper. */
  #rank({ members }: VotingList, keeper: ByteString | null): number {
    const { own, isConnected } = this.#ports;
    return [...members].filter((id) => id < own.id && id !== keeper && isConnected(id)).length;
  }

  #receivePromise(from: ByteString, { accepted: sent, ...rest }: PromiseMessage): void {
    if (!this.#limit.admits(from, this.#ports.uptime(), sent?.bodies.length)) return;

    const proposal = sent === null ? null : this.#ports.read(sent.bodies);
    if (sent !== null && proposal === null) return;

    // A list that is earlier than that of the last decision can decide no more.
    const isOver = sent !== null && sent.evidence.vote.ballot.list < this.last.list;
    const accepted = sent === null || proposal === null || isOver ? null : { ...sent, proposal };
    // The keeper does not evaluate what it proposes again.
    if (accepted !== null && !this.#signatures.isEvidence(accepted.evidence, accepted.proposal)) return;

    const promise: PromiseOf = { ...rest, accepted };
    this.#recovery?.promised(from, promise);
    this.#keeper.promised(from, promise);
    this.#recover();
  }

  #sendPromise(to: ByteString, { accepted, ...promise }: PromiseOf): void {
    const sent = accepted && { bodies: bodiesOf(accepted.proposal), evidence: accepted.evidence };
    this.#ports.send(to, { kind: "promise", ...promise, accepted: sent });
  }

  #forward(keeper: ByteString, now: number): void {
    const open = (this.#voter.open ?? this.#pending)?.proposal.decisions ?? [];
    const proposed = new Set(open.map(({ unit }) => unit));

    // The keeper made a proposal after the previous one arrived here. It probably has what was here before that, unless
    // this is part of the proposal, or comes after as many units as one decides.
    const isBusy =
      open.length > 0
        ? now - this.#proposedAt < this.#timeouts.repeatMs
        : now - this.#progressAt < this.#proposalMs;
    const until = isBusy ? this.#previousProposedAt : now;

    let before = 0;
    for (const unit of this.#queue.inTurn()) {
      const isLater = isBusy && before++ >= PROPOSAL_UNITS_MAX;
      const isPresumed = now - unit.since < FORWARD_AGAIN_MS;
      const mayBeThere = !unit.isOnlyHere && isPresumed && (isLater || until - unit.since < FORWARD_AFTER_MS);
      const isSent = unit.sentTo === keeper && now - unit.sentAt < FORWARD_AGAIN_MS;
      if (mayBeThere || isSent || proposed.has(unit.id)) continue;
      unit.sentTo = keeper;
      unit.sentAt = now;
      this.#ports.send(keeper, { kind: "unit", body: unit.body, signature: unit.signature });
    }
  }

  /** Starts waiting for a decision again. */
  #wait(now: number): void {
    this.#progressAt = now;
    const { random } = this.#ports;
    const { patienceMs } = this.#timeouts;
    if (this.#patience < patienceMs) this.#patience = patienceMs * (1 + RANDOM_SHARE * random());
  }

  #nextBallot({ number, hash }: VotingLists["current"]): Ballot {
    const member = this.#ports.own.id;
    const roundOf = (ballot: Ballot | null): number => (ballot?.listHash === hash ? ballot.round : 0);
    const round = 1 + Math.max(roundOf(this.#voter.promised), roundOf(this.#seen));
    return { list: number, listHash: hash, round, member, attempt: 0 };
  }

  #see(ballot: Ballot): void {
    if (compareBallots(ballot, this.#seen) > 0) this.#seen = ballot;
  }

  #promise(from: ByteString, ballot: Ballot): void {
    if (!this.#isVoting(ballot) || ballot.member !== from) return;
    const now = this.#ports.uptime();
    if (!this.#limit.admits(from, now) || !this.#mayTurn(ballot)) return;
    this.#see(ballot);
    if (!this.#voter.isAmnesic && this.#isTurn(ballot)) this.#beginTurn(ballot);
    const isPromised = this.#voter.promise(ballot, NO_OBJECTION, (promise) =>
      this.#sendPromise(from, promise),
    );
    if (!isPromised) this.#outvote(from);
  }

  /**
   * Whether this daemon may promise and vote in a ballot. A member that lies names a late ballot so that the rounds are
   * used up, and names it to one member only, so that this one is ahead of the others. Therefore the date limits the
   * rounds: it is the same for all members, and no member can move it. Members that have both promised a round above
   * it, because their clocks were wrong, proceed one round at a time.
   */
  #isVoting(ballot: Ballot): boolean {
    const { promised } = this.#voter;
    const round = promised?.listHash === ballot.listHash ? promised.round : 0;
    return this.#isListed(ballot) && ballot.round <= Math.max(this.#ports.latestDate(), round + 1);
  }

  /** Whether a ballot is later than the promised one, and of another keeper or another round. */
  #isTurn(ballot: Ballot): boolean {
    const { promised } = this.#voter;
    return !isSameTurn(ballot, promised) && compareBallots(ballot, promised) > 0;
  }

  /** Whether the keeper of a ballot may replace the present one, if it would. */
  #mayTurn(ballot: Ballot): boolean {
    if (!this.#isTurn(ballot) || !this.#hasKeeper) return true;
    return this.#turns.mayBegin(ballot.member, this.#ports.uptime());
  }

  /** Whether the member that may propose is connected, or there is none. Otherwise any other one may replace it. */
  get #hasKeeper(): boolean {
    const { own, isConnected } = this.#ports;
    const { promised } = this.#voter;
    return promised === null || promised.member === own.id || isConnected(promised.member);
  }

  /** Called before a ballot of another keeper, or of another round, is promised. */
  #beginTurn({ member }: Ballot): void {
    const now = this.#ports.uptime();
    if (this.#hasKeeper) this.#turns.begin(member, now, this.#canDecide);
    this.#wait(now);
  }

  /** Whether a unit has waited for long while other members were the keeper. */
  #isStarving(rankWait: number, now: number): boolean {
    const limit = Math.max(STARVING_MS, STARVING_PATIENCE * this.#patience) + rankWait;
    return now - this.#keptAt >= limit && now - this.#oldest >= limit;
  }

  /** Whether a ballot is one of the present list. */
  #isListed({ list, listHash, member }: Ballot): boolean {
    const current = this.#lists()?.current;
    return current?.hash === listHash && current.number === list && current.members.has(member);
  }

  #outvote(member: ByteString): void {
    const ballot = this.#voter.promised;
    if (ballot !== null) this.#ports.send(member, { kind: "outvoted", ballot });
  }

  #proposed(from: ByteString, message: Propose): void {
    const { ballot, bodies, signed, evidence } = message;
    if (!this.#isVoting(ballot) || ballot.member !== from) return;
    if (!this.#limit.admits(from, this.#ports.uptime(), bodies.length) || !this.#mayTurn(ballot)) return;
    this.#see(ballot);
    const proposal = this.#ports.read(bodies);
    if (proposal === null) return;
    if (evidence !== null) this.#receiveVote(from, evidence.vote);

    const isEarlier = compareBallots(ballot, this.#voter.promised) < 0;
    if (!isEarlier || this.#votes.isVotedFor(proposal))
      this.#votes.addProposal(proposal, from, this.last.slot);
    this.#count(proposal.slot);
    const now = this.#ports.uptime();
    const isSame =
      this.#pending?.proposal.root === proposal.root &&
      compareBallots(this.#pending.message.ballot, ballot) === 0;
    // A proposal that is outvoted must not replace one for which this daemon may still vote.
    const isReplacing = !isSame && (!isEarlier || this.#pending === null);
    if (isReplacing && this.#signatures.isProposed(ballot, proposal, signed)) {
      if (this.#voter.open?.proposal.root !== proposal.root) {
        this.#previousProposedAt = this.#proposedAt;
        this.#proposedAt = now;
      }
      this.#pending = { from, message, proposal, since: now };
    }
    this.#judge();
  }

  /** Votes for the pending proposal, or objects to it, if it is the next one. */
  #judge(): void {
    const pending = this.#pending;
    if (pending === null) return;
    const { from, proposal, message, since } = pending;
    const { ballot, signed, evidence } = message;
    const { previous } = proposal.decisions[0];
    this.#follow({ slot: proposal.slot - 1, orderKey: previous, list: this.last.list });
    const { last, promised } = this.#voter;
    if (proposal.slot <= last.slot || !this.#isVoting(ballot)) this.#pending = null;
    else if (compareBallots(ballot, promised) < 0) {
      this.#pending = null;
      this.#outvote(from);
    } else if (proposal.slot === last.slot + 1 && !this.#voter.isAmnesic) {
      const { open } = this.#voter;
      const hasVoted = open !== null && compareBallots(open.evidence.vote.ballot, ballot) === 0;
      if (hasVoted && open.proposal.root !== proposal.root) {
        this.#pending = null;
        return;
      }
      const isChecked = hasVoted || this.#isEvidence(evidence, proposal, ballot);
      const judgement = isChecked
        ? "yes"
        : this.#isNext(previous) && !this.#chain.isIncomplete
          ? this.#ports.judge(proposal)
          : NO_OBJECTION;

      // An objection that names no later date may resolve itself: entries arrive, and the clock reaches the date.
      const mayChange = judgement !== "yes" && judgement.notBefore <= proposal.decisions[0].at;
      if (mayChange && this.#ports.uptime() - since < this.#timeouts.objectAfterMs) return;

      this.#pending = null;
      if (this.#isTurn(ballot)) this.#beginTurn(ballot);
      if (judgement === "yes") this.#voter.vote(ballot, proposal, signed, null, (vote) => this.#voted(vote));
      else this.#object(from, ballot, judgement);
    }
  }

  /**
   * Whether a proposal in the next slot names a decision of the last slot as the previous one. With another position,
   * members that miss earlier decisions could never find them. A liar may have made two decisions of one slot.
   */
  #isNext(previous: OrderKey | null): boolean {
    const { slot, orderKey } = this.last;
    if (previous === null) return slot === 0;
    if (orderKey !== null && compareOrderKeys(previous, orderKey) === 0) return true;
    if (this.#chain.areRemoved(previous, orderKey)) return true;
    return this.#ports.findDecision(previous)?.slot === slot;
  }

  #object(keeper: ByteString, ballot: Ballot, objection: Objection): void {
    if (ballot.attempt === ATTEMPT_MAX) return;
    this.#voter.promise(nextAttempt(ballot), objection, (promise) => this.#sendPromise(keeper, promise));
  }

  /**
   * Whether two members have checked this decision in an earlier ballot. A majority may have voted for it, so this
   * daemon may no longer object.
   */
  #isEvidence(evidence: Evidence | null, proposal: Proposal, ballot: Ballot): boolean {
    if (evidence === null || compareBallots(evidence.vote.ballot, ballot) >= 0) return false;
    return this.#signatures.isEvidence(evidence, proposal);
  }

  #receiveVote(from: ByteString, vote: Vote): void {
    const claimed = this.#ports.hash(Buffer.from(vote.spki, "latin1"));
    if (this.#votes.has(vote, claimed, this.last.slot)) return;
    if (!this.#limit.admits(from, this.#ports.uptime())) return;
    const voter = this.#signatures.voterOf(vote);
    if (voter !== null) this.#addVote(vote, voter);
  }

  /** Adds this daemon's own vote, and sends it to all other members. */
  #voted(vote: Vote): void {
    this.#broadcast({ kind: "vote", vote });
    const { id } = this.#ports.own;
    if (!this.#votes.has(vote, id, this.last.slot)) this.#addVote(vote, id);
  }

  #addVote(vote: Vote, voter: ByteString): void {
    if (this.#votes.add(vote, voter)) this.#ports.contradicted(voter);
    this.#count(vote.slot);
    this.#keeper.advance();
  }

  /** Records the decisions of a proposal if a majority has voted for it. @param slot  that of the first one */
  #count(slot: number): void {
    const lists = this.#lists();
    if (lists === null) return;
    for (const list of [lists.current, ...lists.earlier]) {
      const made = this.#votes.decisionsFrom(slot, list);
      if (made === null) continue;
      if (slot > this.#counted) this.#limitsMove(made.proposal, made.votes.ballot.member);
      this.#ports.decided(made.proposal, made.votes);
      this.#followMade(made.proposal);
      return;
    }
  }

  /**
   * Follows decisions that a majority has made again, because its members restarted after the entries were pruned: then
   * they know only their votes. An entry that a snapshot covers, or that is part of the state, is not folded again.
   */
  #followMade({ decisions }: Proposal): void {
    const { slot, at, seq, id } = decisions.at(-1) ?? decisions[0];
    this.#follow({ slot, orderKey: { at, seq, id }, list: this.last.list });
  }

  /**
   * Lets members send more messages after a decision of the proposal for which this daemon has voted: a majority has
   * voted for it, although the other votes may never arrive here, because their members are not connected to this one.
   */
  #creditOpen({ id }: ProposedDecision): void {
    const { open } = this.#voter;
    if (open?.proposal.decisions[0].id === id) this.#creditMessages(open.proposal);
  }

  /** Lets members send more messages, because a majority has decided a slot. */
  #creditMessages({ slot, decisions }: Proposal): void {
    if (slot <= this.#creditedSlot) return;
    this.#creditedSlot = slot;
    this.#limit.decided(decisions.length);
  }

  /**
   * Raises the limits of the members, because a majority has decided a slot in a member's turn. This daemon waits again
   * for the keeper, even if earlier decisions are missing here.
   */
  #limitsMove(proposal: Proposal, keeper: ByteString): void {
    this.#counted = proposal.slot;
    this.#wait(this.#ports.uptime());
    this.#creditMessages(proposal);
    // A keeper that decides units, but not the one that waits longest, has to let another member begin.
    const isFair = this.#ports.uptime() - this.#oldest < STARVING_MS;
    this.#turns.decided(keeper, isFair);
  }

  /**
   * Replaces the last decision by the one before a proposal that a majority has decided, if a later slot was believed
   * to have an earlier date: a member has invented that decision, and this daemon could not check it, because entries
   * of that time were removed.
   */
  #correct({ slot, at, previous }: ProposedDecision): void {
    const { last } = this;
    if (slot > last.slot || at <= (last.orderKey?.at ?? at)) return;
    // The decisions before a later one may be missing here. The first one after the removed entries is corrected, too.
    if (!this.#chain.areRemoved(previous, null)) return;
    this.#voter.correct({ slot: slot - 1, orderKey: previous, list: last.list });
  }

  /**
   * Follows the chain of decisions that are part of the state.
   * @param known  a decision that another member has; null: none
   */
  #follow(known: LastDecision | null): void {
    const last = this.#chain.advance(this.last, known);
    if (last.slot === this.last.slot) return;

    this.#voter.follow(last);
    this.#undecidedTime.decided();
    this.#votes.dropUpTo(last.slot);
    this.#patience = 0;

    const now = this.#ports.uptime();
    const proposalMs = Math.min(now - this.#proposedAt, this.#timeouts.repeatMs);
    this.#proposalMs = Math.max(proposalMs, PROPOSAL_DECAY * this.#proposalMs);
    this.#wait(now);
    this.#count(last.slot + 1);
  }

  /**
   * Gives up missing decisions that no member has. Otherwise this daemon could not take part in any later one. Its own
   * vote for them may be on its way, and make them after all.
   */
  #skipLost(now: number): void {
    const { missingUpTo } = this.#chain;
    const { open } = this.#voter;
    if (missingUpTo === null || open !== this.#levelVote || !this.#ports.areLevel(missingUpTo)) {
      this.#levelSince = null;
      this.#levelVote = open;
      return;
    }

    this.#levelSince ??= now;
    if (now - this.#levelSince < LOST_AFTER_MS) return;

    this.#levelSince = null;
    this.#voter.follow(this.#chain.skip(this.last));
    this.#follow(null);
  }

  #broadcast(message: DecisionMessage): void {
    const { own, send } = this.#ports;
    for (const id of this.#lists()?.current.members ?? []) if (id !== own.id) send(id, message);
  }

  /** Requests again what this daemon may have promised and voted. */
  #tickRecovery({ current }: VotingLists, now: number): void {
    if (now < this.#nextRecoveryAt) return;
    this.#nextRecoveryAt = now + RECOVERY_MS;
    const { id } = this.#ports.own;
    if (this.#recovery?.listHash !== current.hash) this.#recovery = new Recovery(current, id);
    const { ballot, isComplete } = this.#recovery;
    if (!isComplete) this.#broadcast({ kind: "promise-request", ballot });
    this.#recover();
  }

  #recover(): void {
    const recovery = this.#recovery;
    if (recovery?.isComplete !== true) return;
    this.#follow(recovery.last);
    // This daemon may have voted for the decisions that the others have. Without them, it could vote for other ones.
    if (this.last.slot < recovery.last.slot) return;

    this.#recovery = null;
    this.#voter.recover(recovery.ballot, recovery.accepted, () => {
      this.#wait(this.#ports.uptime());
      this.tick();
    });
  }
}

type SigningPorts = Pick<DecisionPorts, "cluster" | "hash" | "verify">;

/** The checks of the signatures by which members propose decisions and vote for them. */
export class SignatureChecks {
  readonly #ports: SigningPorts;
  readonly #lists: () => VotingLists | null;

  /** @param lists  returns the lists whose members may have voted */
  constructor(ports: SigningPorts, lists: () => VotingLists | null) {
    this.#ports = ports;
    this.#lists = lists;
  }

  /** Returns the member that has signed a vote, or null if its signature is not valid. */
  voterOf(vote: Vote): ByteString | null {
    const { cluster, verify } = this.#ports;
    const id = this.#idOf(vote);
    if (this.#listOf(vote.ballot)?.members.has(id) !== true) return null;
    return verify(vote.spki, voteBytes(cluster, vote), vote.signature) ? id : null;
  }

  /** Whether the keeper of a ballot has signed a proposal. */
  isProposed(ballot: Ballot, proposal: Proposal, signed: MemberSignature): boolean {
    const { cluster, verify } = this.#ports;
    const bytes = proposalBytes(cluster, votedIn(ballot, proposal));
    return this.#idOf(signed) === ballot.member && verify(signed.spki, bytes, signed.signature);
  }

  /**
   * Whether two members have checked a proposal, or the only member of a list. A single one of several members may lie
   * about the outcome, and about the ballot in which it has voted.
   */
  isEvidence({ vote, proposal: signed }: Evidence, proposal: Proposal): boolean {
    const { ballot } = vote;
    const members = this.#listOf(ballot)?.members;
    const { slot, decisions, root } = proposal;
    const isSame = vote.slot === slot && vote.count === decisions.length && vote.root === root;
    if (!isSame || members?.has(ballot.member) !== true) return false;
    const voter = this.voterOf(vote);
    if (voter === null || (voter === ballot.member && members.size > 1)) return false;
    return this.isProposed(ballot, proposal, signed);
  }

  #idOf({ spki }: MemberSignature): ByteString {
    return this.#ports.hash(Buffer.from(spki, "latin1"));
  }

  #listOf({ listHash }: Ballot): VotingList | undefined {
    const lists = this.#lists();
    return [lists?.current, ...(lists?.earlier ?? [])].find((list) => list?.hash === listHash);
  }
}
