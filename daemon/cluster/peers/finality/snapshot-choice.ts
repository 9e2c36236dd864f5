/**
 * The choice of the member whose snapshot may replace this daemon's entries, if any. No member's report takes
 * precedence over another's, snapshots dated in the future are rejected, and a snapshot replaces only entries that no
 * member can send individually. If the members cannot agree, an operator can decide. Source:
 * docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import type { CutVote } from "../../../../protocol/members/cut-votes.js";
import { dateText, hexOf } from "../../../../protocol/version-2/envelope.js";
import { type ClusterState, type ConnectedMember, haveMembersConnected } from "../shared/cluster-state.js";
import { electorateIn } from "../shared/electorate.js";
import type { CutVoting } from "./cut-voting.js";
import type { MissingEntries } from "./missing-entries.js";
import type { SnapshotRequest, SnapshotTaking } from "./snapshot-taking.js";

export class SnapshotChoice {
  readonly #cluster: ClusterState;
  readonly #missing: MissingEntries;
  readonly #voting: CutVoting;
  readonly #taking: SnapshotTaking;
  /** The result of `adoptOption` as of the last check. */
  #adoptOption: string | null = null;

  constructor(
    cluster: ClusterState,
    past: { missing: MissingEntries; voting: CutVoting; taking: SnapshotTaking },
  ) {
    this.#cluster = cluster;
    this.#missing = past.missing;
    this.#voting = past.voting;
    this.#taking = past.taking;
  }

  /**
   * The option with which an operator can make this daemon adopt a member's snapshot in place of missing entries, or
   * null if no operator has to decide.
   */
  get adoptOption(): string | null {
    return this.#adoptOption;
  }

  /**
   * Returns the members whose snapshots may be loaded, ordered by the dates of the snapshots. The result is empty if no
   * snapshot is needed or justified.
   */
  choices(now: number, candidates: readonly ConnectedMember[]): readonly SnapshotRequest[] {
    this.#adoptOption = null;
    this.#warnUnknown(now, candidates);

    const stuck = this.#stuck(now, candidates);
    const choices = stuck.flatMap(({ sender, needed }) => {
      const agreed = this.#agreedWith(sender, needed);
      return agreed === null ? [] : [{ sender, agreed }];
    });

    const [first] = stuck;
    if (choices.length === 0 && first !== undefined) this.#logUndecided(first.sender, first.needed);
    return choices.sort((a, b) => a.agreed.at - b.agreed.at);
  }

  /**
   * Returns the live members whose states include the missing entries, if no connected member can send the entries
   * themselves. `needed` is the date that a snapshot has to reach.
   */
  #stuck(now: number, candidates: readonly ConnectedMember[]): { sender: ConnectedMember; needed: number }[] {
    const cluster = this.#cluster;
    const missing = this.#missing;
    const { timeline, limits, state } = cluster;
    if (state !== "catching-up" || timeline.snapshotTransfer === null || !haveMembersConnected(cluster, now))
      return [];

    const hasSentAll = ({ compared, id, status }: ConnectedMember) =>
      compared !== null || (missing.areMissing(id) && (status?.pruned ?? 0) > timeline.prunedTo);
    // Wait longer if a member may still send the entries, but not forever.
    const forMs = candidates.every(hasSentAll) ? limits.snapshotAfterMs : limits.catchUpStuckMs;

    return candidates
      .flatMap((sender) => {
        const { id, status } = sender;
        // The snapshot only has to replace the entries that the member has pruned: the member can still send the rest.
        const isOne = status?.state === "live" && missing.areStuck(id, now, forMs);
        return isOne ? [{ sender, needed: status.pruned }] : [];
      })
      .sort((a, b) => a.needed - b.needed);
  }

  #agreedWith({ id }: ConnectedMember, needed: number): CutVote | null {
    const voting = this.#voting;
    const { clock, adoptionOrder, hasBegunEmpty } = this.#cluster;
    const now = clock();
    const due = voting.votesFrom(id, needed).filter(({ at }) => at <= now);
    const votes = due.filter((vote) => !this.#hasCut(vote) && !this.#taking.wasTaken(vote));

    const electorate = electorateIn(this.#cluster);
    // A daemon that began empty has nothing to lose. If it has only one other member, it believes that member's report
    // alone.
    const isBelieved =
      adoptionOrder === id || (electorate.others === 1 && electorate.ids.has(id) && hasBegunEmpty);

    const missing = this.#taking.missingOf(id);
    // A member may no longer have a snapshot that it voted for. In that case try its later votes, then all its votes
    // again.
    const first = (proved: readonly CutVote[]) => proved.find(({ at }) => at > missing) ?? proved[0] ?? null;
    if (isBelieved) return first(votes);

    // A state that this daemon itself has signed needs no further proof, even if the daemon has lost entries since.
    const isProved = (vote: CutVote) =>
      voting.haveSigned(id, vote.at) ||
      (electorate.others > 1 && voting.agreedOn(vote.at)?.seal === vote.seal);
    return first(votes.filter(isProved));
  }

  /**
   * Whether the vote is for the snapshot that this daemon already has in place of its pruned entries: adopting it again
   * would change nothing.
   */
  #hasCut({ at, seal }: CutVote): boolean {
    const { prunedTo, snapshotTransfer } = this.#cluster.timeline;
    return (
      at === prunedTo && snapshotTransfer?.cuts.some((cut) => cut.at === at && cut.seal === seal) === true
    );
  }

  /**
   * Warns if an operator has ordered the adoption of a snapshot from a daemon that is not connected, because the order
   * then has no effect.
   */
  #warnUnknown(now: number, candidates: readonly ConnectedMember[]): void {
    const cluster = this.#cluster;
    const ordered = cluster.adoptionOrder;
    if (
      ordered === null ||
      !haveMembersConnected(cluster, now) ||
      candidates.some(({ id }) => id === ordered)
    )
      return;

    cluster.notices.warn(
      "adopt",
      { adopt: hexOf(ordered), members: candidates.map(({ id }) => hexOf(id)) },
      UNKNOWN,
    );
  }

  /** Logs what is missing, which member has it, and what an operator can do. */
  #logUndecided({ id, connection }: ConnectedMember, needed: number): void {
    const { timeline, notices } = this.#cluster;
    const { index } = timeline;
    this.#adoptOption = `--adopt ${hexOf(id)}`;
    const entries = index.total("ring").count + index.total("data").count;
    const upTo = dateText(needed);
    const facts = { member: hexOf(id), address: connection.remote, upTo, entries, order: this.#adoptOption };
    notices.warn("snapshot", facts, UNDECIDED);
  }
}

const UNKNOWN =
  "`adopt` names no daemon that is connected: the option has no effect. Compare the id with `dbsync status --json`, which shows all " +
  "64 digits. Remove the option after the snapshot has been adopted";

const UNDECIDED =
  "no member stores the entries that are missing here, and too few have signed the same snapshot of them: no snapshot is adopted, and " +
  "this daemon serves the data that it has. Connect the missing members; or, if you trust this member, start this daemon once " +
  "with the option `order`: its snapshot replaces everything here dated up to `upTo`, and the replaced data are kept aside";
