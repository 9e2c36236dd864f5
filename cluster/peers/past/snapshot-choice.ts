/**
 * Chooses the member whose snapshot may replace what is here, if any: never one member's word against another's,
 * never a date in the future, and never what a member could send entry by entry. Where members cannot settle it an
 * operator can.
 * Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import type { CutVote } from "../../../protocol/members/cut-votes.js";
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import { type ClusterState, type ConnectedMember, isEverybodyHere } from "../shared/cluster-state.js";
import { electorateIn } from "../shared/electorate.js";
import type { CutVoting } from "./cut-voting.js";
import type { Gaps } from "./gaps.js";
import type { Choice, SnapshotTaking } from "./snapshot-taking.js";

export class SnapshotChoice {
  readonly #cluster: ClusterState;
  readonly #gaps: Gaps;
  readonly #voting: CutVoting;
  readonly #taking: SnapshotTaking;
  /** The option that an operator could order with, as of the last look; null: nothing has to be ordered. */
  #order: string | null = null;

  constructor(cluster: ClusterState, past: { gaps: Gaps; voting: CutVoting; taking: SnapshotTaking }) {
    this.#cluster = cluster;
    this.#gaps = past.gaps;
    this.#voting = past.voting;
    this.#taking = past.taking;
  }

  /** The option that an operator may start this daemon with, as members cannot settle what is missing; null: none. */
  get order(): string | null {
    return this.#order;
  }

  /**
   * Returns the members that a snapshot may be taken from, the one with the earliest date first; none: there is no
   * need, or no right.
   */
  choices(now: number, candidates: readonly ConnectedMember[]): readonly Choice[] {
    this.#order = null;
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
   * Returns live members that have what is missing here, while no connected member could send that itself, and the
   * date that a snapshot has to reach.
   */
  #stuck(now: number, candidates: readonly ConnectedMember[]): { sender: ConnectedMember; needed: number }[] {
    const cluster = this.#cluster;
    const gaps = this.#gaps;
    const { timeline, limits, state } = cluster;
    if (state !== "catching-up" || timeline.handover === null || !isEverybodyHere(cluster, now)) return [];
    const hasSentDocumentsAll = ({ compared, id, status }: ConnectedMember) =>
      compared !== null || (gaps.isOpen(id) && (status?.pruned ?? 0) > timeline.prunedTo);
    // A member that could send it, and never does, is not waited for without end.
    const forMs = candidates.every(hasSentDocumentsAll) ? limits.snapshotAfterMs : limits.catchUpStuckMs;
    return candidates
      .flatMap((sender) => {
        const { id, status } = sender;
        // It sends entry by entry what it has not pruned.
        const isOne = status?.state === "live" && gaps.isStuck(id, now, forMs);
        return isOne ? [{ sender, needed: status.pruned }] : [];
      })
      .sort((a, b) => a.needed - b.needed);
  }

  #agreedWith({ id }: ConnectedMember, needed: number): CutVote | null {
    const voting = this.#voting;
    const { clock, order, beganEmpty } = this.#cluster;
    const now = clock();
    const due = voting.from(id, needed).filter(({ at }) => at <= now);
    const votes = due.filter((vote) => !this.#isHere(vote) && !this.#taking.wasTaken(vote));
    const voices = electorateIn(this.#cluster);
    // With one other member, its word is all there is: enough for a daemon that has nothing to lose by it.
    const isBelieved = order === id || (voices.others === 1 && voices.ids.has(id) && beganEmpty);
    const missing = this.#taking.missingOf(id);
    // What was signed stays, though the member may hold something else by now: then a later one, or all again.
    const first = (proved: readonly CutVote[]) => proved.find(({ at }) => at > missing) ?? proved[0] ?? null;
    if (isBelieved) return first(votes);
    // What this daemon has signed itself is proved, whatever it has lost since.
    const isProved = (vote: CutVote) =>
      voting.haveSigned(id, vote.at) || (voices.others > 1 && voting.agreedOn(vote.at)?.seal === vote.seal);
    return first(votes.filter(isProved));
  }

  /** Whether it is the very snapshot that replaced what is forgotten here: adopted again it would change nothing. */
  #isHere({ at, seal }: CutVote): boolean {
    const { prunedTo, handover } = this.#cluster.timeline;
    return at === prunedTo && handover?.cuts.some((cut) => cut.at === at && cut.seal === seal) === true;
  }

  /** Warns if an operator's order names no connected member: it does nothing, and would be silent. */
  #warnUnknown(now: number, candidates: readonly ConnectedMember[]): void {
    const cluster = this.#cluster;
    const ordered = cluster.order;
    if (ordered === null || !isEverybodyHere(cluster, now) || candidates.some(({ id }) => id === ordered))
      return;
    cluster.notices.warn(
      "adopt",
      { adopt: hexOf(ordered), members: candidates.map(({ id }) => hexOf(id)) },
      UNKNOWN,
    );
  }

  /** Logs what is missing, which member has it, and what an operator can do about it. */
  #logUndecided({ id, connection }: ConnectedMember, needed: number): void {
    const { timeline, notices } = this.#cluster;
    const { index } = timeline;
    this.#order = `--adopt ${hexOf(id)}`;
    const entries = index.total("ring").count + index.total("data").count;
    const upTo = dateText(needed);
    const facts = { member: hexOf(id), address: connection.remote, upTo, entries, order: this.#order };
    notices.warn("snapshot", facts, UNDECIDED);
  }
}

const UNKNOWN =
  "`adopt` names no daemon that is connected: nothing is taken over by it. Compare the id with `dbsync status --json`, which has all " +
  "64 digits; and take the option out when it has been carried out";
const UNDECIDED =
  "what is missing here no member stores entry by entry, and too few have signed the same snapshot of it: nothing is taken over, and " +
  "this daemon serves what it has. Connect those that are away; or, if this member is to be believed, start this daemon once " +
  "with the option `order`: its snapshot takes the place of everything here dated up to `upTo`, and that is kept aside";
