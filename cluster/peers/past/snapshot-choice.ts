/**
 * Which member's snapshot may take the place of what is here, if any: never one member's word against another's, never a
 * date to come, and never what somebody could give entry by entry. Where members cannot settle it an operator can.
 * Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import type { LogThrottle } from "../../../net/process/log-throttle.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CutVote } from "../../../protocol/members/cut-votes.js";
import type { StatusMessage } from "../../../protocol/members/member-messages.js";
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import type { DaemonState } from "../../../protocol/version-2/messages-v2.js";
import type { ClusterState } from "../shared/cluster-state.js";
import type { CutVoting } from "./cut-voting.js";
import type { Electorate } from "./electorate.js";
import type { Gaps } from "./gaps.js";
import type { Choice, SnapshotGiver } from "./snapshot-taking.js";

/** A member that is connected. */
export interface Candidate extends SnapshotGiver {
  readonly status: Pick<StatusMessage, "pruned" | "state"> | null;
  /** Whether what it holds is here; null: not compared yet. */
  readonly compared: "live" | "other" | null;
}

export interface SnapshotChoiceParts {
  readonly peering: ClusterState;
  readonly gaps: Gaps;
  readonly voting: CutVoting;
  readonly electorate: () => Electorate;
  readonly state: () => DaemonState;
  /** Whether this daemon began with nothing, and has not served since. */
  readonly beganEmpty: () => boolean;
  /** Whether all that are configured are connected, or have had their time to come. */
  readonly isEverybodyHere: (now: number) => boolean;
  /** Of which date the last one was that a member was asked for and had not; -1: there was none. */
  readonly missingOf: (id: ByteString) => number;
  /** Whether one was taken since this daemon last served. */
  readonly wasTaken: (vote: CutVote) => boolean;
  readonly notices: LogThrottle;
}

export class SnapshotChoice {
  readonly #parts: SnapshotChoiceParts;
  /** What an operator could order, as of the last look; null: nothing has to be ordered. */
  #order: string | null = null;

  constructor(parts: SnapshotChoiceParts) {
    this.#parts = parts;
  }

  /** The option that an operator may start this daemon with, as members cannot settle what is missing; null: none. */
  get order(): string | null {
    return this.#order;
  }

  /** Whom a snapshot may be taken from, the one that reaches the least far first; none: there is no need, or no right. */
  choices(now: number, candidates: readonly Candidate[]): readonly Choice[] {
    this.#order = null;
    this.#tellUnknown(now, candidates);
    const stuck = this.#stuck(now, candidates);
    const choices = stuck.flatMap(({ giver, needed }) => {
      const agreed = this.#agreedWith(giver, needed);
      return agreed === null ? [] : [{ giver, agreed }];
    });
    const [first] = stuck;
    if (choices.length === 0 && first !== undefined) this.#tell(first.giver, first.needed);
    return choices.sort((a, b) => a.agreed.at - b.agreed.at);
  }

  /**
   * Live ones that have what lacks here, while nobody who is connected could give that itself, and up to which date a
   * snapshot has to reach.
   */
  #stuck(now: number, candidates: readonly Candidate[]): { giver: Candidate; needed: number }[] {
    const { peering, gaps, state, isEverybodyHere } = this.#parts;
    const { timeline, limits } = peering;
    if (state() !== "catching-up" || timeline.handover === null || !isEverybodyHere(now)) return [];
    const hasGivenAll = ({ compared, id, status }: Candidate) =>
      compared !== null || (gaps.isOpen(id) && (status?.pruned ?? 0) > timeline.prunedTo);
    // Who could give it, and never does, is not waited for without end.
    const forMs = candidates.every(hasGivenAll) ? limits.snapshotAfterMs : limits.catchUpStuckMs;
    return candidates
      .flatMap((giver) => {
        const { id, status } = giver;
        // What it has not pruned it gives entry by entry.
        const isOne = status?.state === "live" && gaps.isStuck(id, now, forMs);
        return isOne ? [{ giver, needed: status.pruned }] : [];
      })
      .sort((a, b) => a.needed - b.needed);
  }

  #agreedWith({ id }: Candidate, needed: number): CutVote | null {
    const { peering, voting, electorate, beganEmpty } = this.#parts;
    const now = peering.clock();
    const due = voting.from(id, needed).filter(({ at }) => at <= now);
    const votes = due.filter((vote) => !this.#isHere(vote) && !this.#parts.wasTaken(vote));
    const voices = electorate();
    // Where there is one other, its word is all there is: good enough for who has nothing to lose by it.
    const isBelieved = peering.order() === id || (voices.others === 1 && voices.ids.has(id) && beganEmpty());
    const missing = this.#parts.missingOf(id);
    // What was signed stays, though it may have come to hold something else: then a later one, or all once more.
    const first = (proved: readonly CutVote[]) => proved.find(({ at }) => at > missing) ?? proved[0] ?? null;
    if (isBelieved) return first(votes);
    // What this daemon has signed itself is proved to it, whatever it has lost since.
    const isProved = (vote: CutVote) =>
      voting.haveSigned(id, vote.at) || (voices.others > 1 && voting.agreedOn(vote.at)?.seal === vote.seal);
    return first(votes.filter(isProved));
  }

  /** Whether it is the very snapshot that stands here for what is forgotten: taken over once more it would change nothing. */
  #isHere({ at, seal }: CutVote): boolean {
    const { prunedTo, handover } = this.#parts.peering.timeline;
    return at === prunedTo && handover?.cuts.some((cut) => cut.at === at && cut.seal === seal) === true;
  }

  /** An operator's order that names nobody who is here does nothing, and would do so in silence. */
  #tellUnknown(now: number, candidates: readonly Candidate[]): void {
    const { peering, notices, isEverybodyHere } = this.#parts;
    const ordered = peering.order();
    if (ordered === null || !isEverybodyHere(now) || candidates.some(({ id }) => id === ordered)) return;
    notices.warn("adopt", { adopt: hexOf(ordered), members: candidates.map(({ id }) => hexOf(id)) }, UNKNOWN);
  }

  /** What is missing, who has it, and what an operator can do about it. */
  #tell({ id, connection }: Candidate, needed: number): void {
    const { peering, notices } = this.#parts;
    const { index } = peering.timeline;
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
  "what lacks here no member keeps entry by entry, and too few have signed the same snapshot of it: nothing is taken over, and " +
  "this daemon serves what it has. Connect those that are away; or, if this member is to be believed, start this daemon once " +
  "with the option `order`: its snapshot takes the place of everything here dated up to `upTo`, and that is kept aside";
