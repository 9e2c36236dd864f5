/** The searches of docs/model/conditions.pml, liar.pml and evidence.pml. */
import { holds, limit, mistake, type Search } from "./search.js";

const ONE_DECISION = "a slot has one decision";
const FOUND_OUTCOME = "a decision has an outcome that an honest member has found";
const KNOWN_PLAIN_WRITE = "an outcome depends on each plain write that a majority had";

/**
 * Lists of members as sets of bits: one of three is replaced, a fourth is added, the fourth or two of three are
 * evicted.
 */
const REPLACED = "MEMBERS=4 LIST_1=7 LIST_2=11 FIRST_OF_LIST_2=1";
const ADDED = "MEMBERS=4 LIST_1=7 LIST_2=15 FIRST_OF_LIST_2=1";
const EVICTED = "MEMBERS=4 LIST_1=15 LIST_2=7 FIRST_OF_LIST_2=1";
const TWO_EVICTED = "LIST_1=7 LIST_2=1 FIRST_OF_LIST_2=1 DATES=1";

export const conditions: readonly Search[] = [
  holds(
    "conditions of 4 members: 2 slots, 3 ballots, a plain write, a restart, a lost disk",
    "conditions MEMBERS=4 SLOTS=2 BALLOTS=3 PLAIN=1 RESTARTS=1 LOSSES=1",
    "random",
  ),
  holds(
    "conditions with a replaced member: 2 slots, 3 ballots, a restart",
    `conditions ${REPLACED} SLOTS=2 BALLOTS=3 RESTARTS=1`,
    "random",
  ),
  holds(
    "conditions of 4 members: 1 slot, 2 ballots, a plain write",
    "conditions MEMBERS=4 SLOTS=1 BALLOTS=2 PLAIN=1",
  ),
  holds("conditions: 2 slots, 2 ballots, a plain write", "conditions SLOTS=2 BALLOTS=2 PLAIN=1"),
  holds("conditions: 2 slots, 3 ballots", "conditions SLOTS=2 BALLOTS=3 DATES=1"),
  holds("conditions: 1 slot, 3 ballots, a plain write", "conditions SLOTS=1 BALLOTS=3 PLAIN=1"),
  holds("conditions: 1 slot, 3 ballots, a restart", "conditions SLOTS=1 BALLOTS=3 RESTARTS=1"),
  holds(
    "conditions: 2 slots, 2 ballots, two restarts without the last decisions",
    "conditions SLOTS=2 BALLOTS=2 DATES=1 RESTARTS=2",
  ),
  holds("conditions: 1 slot, 3 ballots, a lost disk", "conditions SLOTS=1 BALLOTS=3 LOSSES=1"),
  holds(
    "conditions: 1 slot, 3 ballots, a lost disk, reports of open votes only",
    "conditions OPEN_VOTES SLOTS=1 BALLOTS=3 LOSSES=1 DATES=1",
  ),
  holds(
    "conditions and finality: 1 slot, 2 ballots, a plain write, a lost disk",
    "conditions SLOTS=1 BALLOTS=2 PLAIN=1 LOSSES=1 FINAL",
  ),
  holds("conditions and finality: 2 slots, 2 ballots", "conditions SLOTS=2 BALLOTS=2 FINAL"),
  holds("conditions not applied in their window: 2 slots, 2 ballots", "conditions SLOTS=2 BALLOTS=2 WINDOW"),
  holds(
    "conditions with a replaced member: 1 slot, 3 ballots",
    `conditions ${REPLACED} SLOTS=1 BALLOTS=3 DATES=1`,
  ),
  holds("conditions with a replaced member: 2 slots, 2 ballots", `conditions ${REPLACED} SLOTS=2 BALLOTS=2`),
  holds(
    "conditions with a replaced member that has the entries: 1 slot, 2 ballots, a plain write",
    `conditions JOINS_WITH_ENTRIES ${REPLACED} SLOTS=1 BALLOTS=2 PLAIN=1`,
  ),
  holds("conditions with an added member: 1 slot, 2 ballots", `conditions ${ADDED} SLOTS=1 BALLOTS=2`),
  holds(
    "conditions with an evicted member: 1 slot, 2 ballots, a plain write",
    `conditions ${EVICTED} SLOTS=1 BALLOTS=2 PLAIN=1`,
  ),
  holds(
    "conditions with entries that arrive in any order: 2 slots, 2 ballots",
    "conditions GAP SLOTS=2 BALLOTS=2 DATES=1",
  ),
  holds(
    "conditions with two of 5 members that miss two decisions: 3 ballots",
    "conditions GAP MEMBERS=5 SLOTS=3 BALLOTS=3 DATES=1",
  ),
  holds(
    "progress with one of 3 members down: 1 slot, 4 ballots, a plain write",
    "conditions PROGRESS SLOTS=1 BALLOTS=4 PLAIN=1",
  ),
  holds(
    "progress with one of 3 members down: 2 slots, 3 ballots",
    "conditions PROGRESS SLOTS=2 BALLOTS=3 DATES=1",
  ),
  holds(
    "progress with one of 4 members down: 1 slot, 3 ballots, a plain write",
    "conditions PROGRESS MEMBERS=4 SLOTS=1 BALLOTS=3 PLAIN=1",
  ),
  mistake(
    "a member forgets its vote when it restarts",
    ONE_DECISION,
    "conditions FORGET_VOTE SLOTS=1 BALLOTS=3 RESTARTS=1",
    "forgotten-vote",
  ),
  mistake(
    "the fold evaluates the condition of a decided unit again",
    "a decided unit keeps its effect",
    "conditions FOLD_EVALUATES SLOTS=1 BALLOTS=2 PLAIN=1",
    "fold-evaluates",
  ),
  mistake(
    "a decision is dated below a write that its members have",
    KNOWN_PLAIN_WRITE,
    "conditions BELOW_KNOWN_WRITE SLOTS=1 BALLOTS=2 PLAIN=1",
    "below-known-write",
  ),
  mistake(
    "a decision covers an earlier one that is missing",
    "of two units that exclude each other, one is applied",
    "conditions GAP COVERS_MISSING MEMBERS=5 SLOTS=3 BALLOTS=3 DATES=1",
    "covers-missing",
  ),
  mistake(
    "a new keeper does not propose the last vote again",
    ONE_DECISION,
    "conditions NEW_PROPOSAL SLOTS=1 BALLOTS=2",
    "new-proposal",
  ),
  mistake(
    "a keeper proposes a second time in a ballot",
    ONE_DECISION,
    "conditions SECOND_ATTEMPT SLOTS=1 BALLOTS=2",
    "second-attempt",
  ),
  mistake(
    "the keeper votes before another member agrees",
    KNOWN_PLAIN_WRITE,
    "conditions KEEPER_VOTES_FIRST SLOTS=1 BALLOTS=2 PLAIN=1",
    "keeper-votes-first",
  ),
  mistake(
    "members evaluate a vote again that a keeper must propose again",
    "a majority decides all units",
    "conditions BOUND_IS_EVALUATED PROGRESS SLOTS=1 BALLOTS=3 PLAIN=1",
    "bound-is-evaluated",
  ),
  mistake(
    "a member that lost its disk votes immediately",
    ONE_DECISION,
    "conditions AMNESIC_VOTES SLOTS=1 BALLOTS=2 LOSSES=1",
    "amnesic-votes",
  ),
  mistake(
    "a member that lost its disk votes without the entries of the other members",
    KNOWN_PLAIN_WRITE,
    "conditions RETURNS_EMPTY SLOTS=1 BALLOTS=2 PLAIN=1 LOSSES=1",
    "returns-empty",
  ),
  mistake(
    "a member that lost its disk votes without the decisions of the other members",
    ONE_DECISION,
    "conditions OPEN_VOTES RETURNS_WITHOUT_DECISIONS SLOTS=1 BALLOTS=3 LOSSES=1 DATES=1",
    "returns-without-decisions",
  ),
  mistake(
    "a member reports by its clock that a unit is not applied",
    "a unit that is reported as not applied is never applied",
    "conditions BY_CLOCK WINDOW SLOTS=1 BALLOTS=2",
    "by-clock",
  ),
  mistake(
    "a member reports that it adds no early entry although its early vote is open",
    "what is final has no new entry",
    "conditions CLOSES_WITH_VOTE FINAL SLOTS=1 BALLOTS=2",
    "closes-with-vote",
  ),
  mistake(
    "a new list decides without members of the old one",
    ONE_DECISION,
    `conditions LIST_ALONE ${REPLACED} SLOTS=1 BALLOTS=2 DATES=1`,
    "list-alone",
  ),
  mistake(
    "only the first ballot of a new list needs members of the old one",
    ONE_DECISION,
    `conditions JOINT_ONCE ${REPLACED} SLOTS=1 BALLOTS=3 DATES=1`,
    "joint-once",
  ),
  limit(
    "a member that joins votes before it has a plain write that a majority of the old list has",
    KNOWN_PLAIN_WRITE,
    `conditions ${REPLACED} SLOTS=1 BALLOTS=2 PLAIN=1`,
    "joins-empty",
  ),
  limit(
    "a list that removes two of three members",
    ONE_DECISION,
    `conditions ${TWO_EVICTED} SLOTS=1 BALLOTS=2`,
    "two-evicted",
  ),
  limit(
    "5 members have different plain writes",
    KNOWN_PLAIN_WRITE,
    "conditions MEMBERS=5 SLOTS=1 BALLOTS=2 DATES=1 PLAIN=1",
    "five-members",
  ),
];

export const liar: readonly Search[] = [
  holds("a liar among 4 members that agree first, 3 ballots", "liar MEMBERS=4 BALLOTS=3", "random"),
  holds("a liar among 4 members that agree first, 2 ballots", "liar MEMBERS=4 BALLOTS=2"),
  holds(
    "a liar among 5 members that agree first, a quorum of 4, 2 ballots",
    "liar MEMBERS=5 QUORUM=4 BALLOTS=2",
  ),
  mistake(
    "a promise does not prove its last vote",
    ONE_DECISION,
    "liar UNPROVEN_VOTES MEMBERS=4 BALLOTS=2",
    "unproven-votes",
  ),
  mistake(
    "a proposal does not contain the promises that permit it",
    ONE_DECISION,
    "liar UNPROVEN_PROPOSALS MEMBERS=4 BALLOTS=2",
    "unproven-proposals",
  ),
  limit("a liar among 3 members", ONE_DECISION, "liar MEMBERS=3 BALLOTS=2", "liar-of-three"),
  limit(
    "a liar among 4 members that vote without agreeing first",
    ONE_DECISION,
    "liar VOTES_WITHOUT_AGREEMENT MEMBERS=4 BALLOTS=2",
    "liar-of-four",
  ),
  limit(
    "a liar among 5 members that agree first, a quorum of 3",
    ONE_DECISION,
    "liar MEMBERS=5 QUORUM=3 BALLOTS=2",
    "liar-of-five",
  ),
];

export const evidence: readonly Search[] = [
  holds("an outcome with a liar among 4 members, 3 ballots", "evidence MEMBERS=4 BALLOTS=3"),
  holds("an outcome with a liar among 3 members, 3 ballots", "evidence MEMBERS=3 BALLOTS=3"),
  mistake(
    "evidence does not contain the keeper's signature of the proposal",
    FOUND_OUTCOME,
    "evidence UNSIGNED_PROPOSAL MEMBERS=3 BALLOTS=2",
    "unsigned-proposal",
  ),
  mistake(
    "a keeper proposes what a promise contains, without evidence",
    FOUND_OUTCOME,
    "evidence UNPROVEN_ACCEPTED MEMBERS=3 BALLOTS=2",
    "unproven-accepted",
  ),
  mistake(
    "evidence covers only the first unit of a proposal",
    FOUND_OUTCOME,
    "evidence EVIDENCE_OF_FIRST MEMBERS=3 BALLOTS=2",
    "evidence-of-first",
  ),
];
