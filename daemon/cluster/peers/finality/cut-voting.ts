/**
 * Members vote on their states at common dates. Once a member knows that everything up to a date is final, it signs the
 * snapshot that it has made at that date. If most of the other members have signed the same seal, a daemon may adopt
 * that snapshot, and prune the entries before it. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import {
  type CutVote,
  cutVoteBytes,
  readCutVotes,
  VOTES_MAX,
  writeCutVotes,
} from "../../../../protocol/members/cut-votes.js";
import { dateText, hexOf } from "../../../../protocol/version-2/envelope.js";
import type { Cut } from "../../../timeline/snapshots/snapshot-schedule.js";
import type { SnapshotSeal } from "../../../timeline/snapshots/snapshot-stores.js";
import { type ClusterState, type ConnectedMember, membersWithStatus } from "../shared/cluster-state.js";
import { electorateIn, majorityOf } from "../shared/electorate.js";
import type { CommonDate } from "./common-date.js";

/** The maximum number of votes that are stored for one member. An honest member has fewer snapshots. */
const VOTES_EACH = 64;
/**
 * The maximum number of signatures that are checked per second for one member. An honest member sends a handful of
 * votes in a minute.
 */
const CHECKS_MAX = 64;
const SECOND = 1000;

export class CutVoting {
  readonly #cluster: ClusterState;
  readonly #common: CommonDate;
  readonly #onContradicted: (id: ByteString) => void;
  /** Votes by signer and date. */
  readonly #votes = new Map<ByteString, Map<number, CutVote>>();
  /** Members that have signed two different states of one date: their remaining votes are worthless. */
  readonly #contradictions = new Contradictions();
  /** Signatures that were checked since `#checksSince`, by the member that sent them. */
  readonly #checks = new Map<ByteString, number>();
  #checksSince = 0;
  #nextAt = 0;
  /**
   * When a voting member began catching up, or when this daemon last helped such a member; null if no voting member is
   * catching up.
   */
  #stuckSince: number | null = null;
  /**
   * Milliseconds before this daemon helps again, and the `uptime` from which this pause starts again at its minimum.
   */
  #helpPause = 0;
  #calmFrom = Number.NEGATIVE_INFINITY;
  /** Whether the votes on disk are outdated. */
  #isChanged = false;
  /** Own votes that are being written to disk. */
  #unsaved: readonly CutVote[] = [];
  /** The last date that was signed here, on disk or not: no date is signed twice. */
  #last = -1;

  /** @param onContradicted  called when a member has signed two states of one date, to ban it permanently */
  constructor(cluster: ClusterState, common: CommonDate, onContradicted: (id: ByteString) => void) {
    this.#cluster = cluster;
    this.#common = common;
    this.#onContradicted = onContradicted;
  }

  /** Reads the votes that were stored before the start. */
  start(): void {
    const stored = this.#cluster.timeline.handover?.votes ?? null;
    for (const vote of (stored === null ? null : readCutVotes(stored)) ?? []) this.#add(vote);
    const { id } = this.#cluster.identity;
    this.#last = Math.max(-1, ...(this.#votes.get(id)?.keys() ?? []));
  }

  /** Sends votes to a member that has connected and sent its first status. */
  joined(voter: ConnectedMember): void {
    const votes = this.#votesToSend();
    if (votes.length > 0) voter.connection.send({ kind: "cuts", votes });
  }

  /** Processes votes that a member has sent, its own and those of other members. Votes of non-voters are ignored. */
  receiveVotes(from: ByteString, votes: readonly CutVote[]): void {
    const peering = this.#cluster;
    const { ids } = electorateIn(peering);
    for (const vote of votes) {
      const id = peering.hash(Buffer.from(vote.spki, "latin1"));
      const known = this.#votes.get(id)?.get(vote.at);
      const isNews = known === undefined || !isSame(known, vote);
      if (!ids.has(id) || this.#contradictions.has(id) || !isNews || !this.#mayCheck(from)) continue;
      const bytes = cutVoteBytes(peering.cluster, vote);
      if (peering.verifySignature(vote.spki, bytes, Buffer.from(vote.signature, "latin1"))) this.#add(vote);
    }
  }

  /** Adds a vote whose signature is valid. */
  #add(vote: CutVote): void {
    const id = this.#cluster.hash(Buffer.from(vote.spki, "latin1"));
    const known = this.#votes.get(id)?.get(vote.at);
    if (this.#contradictions.has(id)) return;
    if (known === undefined || isSame(known, vote)) this.#store(id, vote);
    else this.#contradicted(id, known, vote);
  }

  tick(now: number): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + this.#cluster.limits.reportEveryMs;
    const { handover } = this.#cluster.timeline;
    if (handover === null) return;
    this.#forgetNonVoters();
    const { cuts } = handover;
    const signed = this.#sign(cuts);
    for (const cut of cuts) this.#count(cut);
    if (signed.length > 0 || this.#isChanged) this.#save(signed);
    for (const voter of membersWithStatus(this.#cluster)) if (voter.isCatchingUp) this.joined(voter);
    this.#help(now);
  }

  /**
   * Helps members that have been catching up for long, by making this daemon create another snapshot. Such members may
   * be missing entries that no agreed snapshot contains. Several snapshots may be necessary, because members create
   * theirs at different moments and may choose different dates. The pauses between them grow, so that a member that
   * never finishes catching up does not keep all daemons busy.
   */
  #help(now: number): void {
    const peering = this.#cluster;
    const { ids } = electorateIn(peering);
    const { catchUpStuckMs, snapshotHoldMs } = peering.limits;
    const isStuck = [...membersWithStatus(peering)].some(
      ({ id, isCatchingUp }) => isCatchingUp && ids.has(id),
    );

    if (now >= this.#calmFrom) this.#helpPause = catchUpStuckMs;
    if (!isStuck) this.#stuckSince = null;
    else if (now - (this.#stuckSince ??= now) > this.#helpPause) {
      // Request a snapshot of a later date: this daemon and most members have already signed the earlier dates, and
      // sign no date twice.
      peering.timeline.handover?.want(Math.max(this.#last, this.#newestAgreed));
      this.#stuckSince = now;
      this.#helpPause = Math.min(2 * this.#helpPause, snapshotHoldMs);
      this.#calmFrom = now + 2 * snapshotHoldMs;
    }
  }

  /** Returns the vote that most of the other members have signed for a date, or null if they have not agreed. */
  agreedOn(at: number): CutVote | null {
    const electorate = electorateIn(this.#cluster);
    const found = [...electorate.ids].flatMap((id) => this.#votes.get(id)?.get(at) ?? []);
    const needed = majorityOf(electorate);
    return found.find((one) => found.filter((other) => isSame(one, other)).length >= needed) ?? null;
  }

  /** The last date for which most of the other members have signed the same state, or -1 if there is none. */
  get #newestAgreed(): number {
    const dates = new Set([...this.#votes.values()].flatMap((votes) => [...votes.keys()]));
    return Math.max(-1, ...[...dates].filter((at) => this.agreedOn(at) !== null));
  }

  /** Returns the votes of one member for a date and for all later dates, in order. */
  from(id: ByteString, at: number): readonly CutVote[] {
    const votes = [...(this.#votes.get(id)?.values() ?? [])];
    return votes.filter((vote) => vote.at >= at).sort((a, b) => a.at - b.at);
  }

  /** Whether a member and this daemon have signed the same state of a date. */
  haveSigned(id: ByteString, at: number): boolean {
    const own = this.#votes.get(this.#cluster.identity.id)?.get(at);
    const other = this.#votes.get(id)?.get(at);
    return own !== undefined && other !== undefined && isSame(own, other);
  }

  /**
   * Signs each final cut that this daemon has not signed before. No date is signed twice, even if the state at that
   * date changes. Up to the date up to which this daemon has pruned its entries, the state can no longer change.
   * @returns the new votes
   */
  #sign(cuts: readonly Cut[]): CutVote[] {
    const { state, identity, cluster, timeline } = this.#cluster;
    if (state === "catching-up") return [];

    const until = Math.max(Math.min(this.#common.value - 1, timeline.published), timeline.prunedTo);
    const due = cuts.filter(({ at }) => at > this.#last && at <= until);
    this.#last = due.at(-1)?.at ?? this.#last;
    return due.map((cut) => {
      const signature = bytesOf(identity.sign(cutVoteBytes(cluster, cut)));
      return { ...cut, spki: identity.spki, signature };
    });
  }

  /**
   * Counts the votes for one of the daemon's own cuts. A vote with a different seal is not an alarm: signed votes never
   * change, but this daemon or the voter may have received an earlier-dated entry after signing.
   */
  #count(cut: Cut): void {
    const peering = this.#cluster;
    const electorate = electorateIn(peering);
    const alike = [...this.#votes].filter(([id, votes]) => {
      const vote = votes.get(cut.at);
      return (
        vote !== undefined && isSame(vote, cut) && (id === peering.identity.id || electorate.ids.has(id))
      );
    });
    if (alike.length >= majorityOf(electorate)) peering.timeline.handover?.certify(cut.at);
  }

  /**
   * Stores this daemon's own votes on disk. Only then do they count here, and only then are they sent to members:
   * otherwise this daemon could sign a different state for the same date after a crash.
   */
  #save(signed: readonly CutVote[]): void {
    const peering = this.#cluster;
    const { handover } = peering.timeline;
    this.#isChanged = false;

    // This write replaces an earlier write that may not be complete yet, so it repeats the votes of that write.
    this.#unsaved = [...this.#unsaved, ...signed];
    handover?.storeVotes(writeCutVotes([...this.#unsaved, ...this.#votesToStore()]), () => {
      if (signed.length === 0) return;
      this.#unsaved = this.#unsaved.filter((vote) => !signed.includes(vote));
      for (const vote of signed) this.#store(peering.identity.id, vote);
      for (const { connection } of membersWithStatus(peering))
        connection.send({ kind: "cuts", votes: signed });
    });
  }

  #store(id: ByteString, vote: CutVote): void {
    let votes = this.#votes.get(id);
    if (votes === undefined) this.#votes.set(id, (votes = new Map()));
    votes.set(vote.at, vote);
    this.#isChanged = true;
    if (votes.size <= VOTES_EACH) return;
    const cutDates = new Set(this.#cluster.timeline.handover?.cuts.map(({ at }) => at));
    const dates = [...votes.keys()].sort((a, b) => a - b);
    votes.delete(dates.find((at) => !cutDates.has(at)) ?? (dates[0] as number));
  }

  /**
   * Forgets the votes of daemons that are not voters, because a daemon that restarts with an empty folder has a new id
   * each time. The votes of some of these daemons are kept: as many as there are voters whose ids are still unknown.
   */
  #forgetNonVoters(): void {
    const { ids, others } = electorateIn(this.#cluster);
    const { id: own } = this.#cluster.identity;
    const nonVoters = [...this.#votes.keys()].filter((id) => id !== own && !ids.has(id));
    const excess = Math.max(0, nonVoters.length - (others - ids.size));
    for (const id of nonVoters.slice(0, excess)) this.#votes.delete(id);
  }

  /**
   * Returns the votes to store: this daemon's own votes (so that it never signs a date twice), the other members' votes
   * for its snapshots, and the proofs of contradictions.
   */
  #votesToStore(): CutVote[] {
    const peering = this.#cluster;
    const own = [...(this.#votes.get(peering.identity.id)?.values() ?? [])].slice(-VOTES_EACH);
    const others = this.#votesForOwnCuts().filter(({ spki }) => spki !== peering.identity.spki);
    return [...own, ...others, ...this.#contradictions.votes];
  }

  #votesToSend(): CutVote[] {
    return this.#votesForOwnCuts().slice(-VOTES_MAX);
  }

  /** Returns the votes of this daemon and of the voters for the dates of this daemon's cuts, ordered by date. */
  #votesForOwnCuts(): CutVote[] {
    const peering = this.#cluster;
    const { ids } = electorateIn(peering);
    const cuts = peering.timeline.handover?.cuts ?? [];
    return cuts.flatMap(({ at }) =>
      [...this.#votes].flatMap(([id, votes]) =>
        id === peering.identity.id || ids.has(id) ? (votes.get(at) ?? []) : [],
      ),
    );
  }

  #mayCheck(from: ByteString): boolean {
    const now = this.#cluster.uptime();
    if (now - this.#checksSince >= SECOND) {
      this.#checks.clear();
      this.#checksSince = now;
    }
    const checks = (this.#checks.get(from) ?? 0) + 1;
    this.#checks.set(from, checks);
    return checks <= CHECKS_MAX;
  }

  #contradicted(id: ByteString, one: CutVote, other: CutVote): void {
    const seals = [one, other].map(({ seal }) => hexOf(seal));
    this.#cluster.log.error({ member: hexOf(id), upTo: dateText(one.at), seals }, CONTRADICTED);
    this.#contradictions.add(id, one, other);
    this.#votes.delete(id);
    this.#isChanged = true;
    this.#onContradicted(id);
  }
}

const isSame = (a: SnapshotSeal, b: SnapshotSeal): boolean => a.bytes === b.bytes && a.seal === b.seal;

const CONTRADICTED = "a member has signed two states of one date: it is broken or lies, and is banned";

/**
 * The maximum number of members whose proofs are stored. There are few voters, and a banned voter can return only with
 * a new folder.
 */
export const PROOFS_MAX = 64;

/**
 * The members that have signed two different states of one date, with both votes as the proof. These members are banned
 * permanently, even after a restart of this daemon.
 */
class Contradictions {
  readonly #proofs = new Map<ByteString, readonly [CutVote, CutVote]>();

  has(id: ByteString): boolean {
    return this.#proofs.has(id);
  }

  /** Adds a proof. If there are too many, the oldest one is dropped. */
  add(id: ByteString, one: CutVote, other: CutVote): void {
    this.#proofs.set(id, [one, other]);
    const [oldest] = this.#proofs.keys();
    if (this.#proofs.size > PROOFS_MAX && oldest !== undefined) this.#proofs.delete(oldest);
  }

  /**
   * Both votes of each member. They are stored with all other votes, so that this daemon finds the contradiction again
   * after a restart.
   */
  get votes(): CutVote[] {
    return [...this.#proofs.values()].flat();
  }
}
