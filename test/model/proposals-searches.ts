/** The searches of docs/model/proposals.pml. */
import { holds, mistake, type Search } from "./search.js";

const ONE_DECISION = "a slot has one decision";
const ONCE = "a unit is decided once";
const OTHER_UNITS = "a doubted unit stops no other one";
const ALL_DECIDED = "a majority decides all units";

/** A member does not agree with one of two units: the last two attempts are for the calm. */
const DOUBT = "PROGRESS CALM=2 DOUBT";

export const proposals: readonly Search[] = [
  { ...holds("proposals: 2 slots, 3 ballots", "proposals"), isLong: true },
  holds("proposals of 3 units: 3 slots, 2 ballots", "proposals SLOTS=3 UNITS=3 BALLOTS=2"),
  holds("proposals with two replaced members: 3 slots, 2 ballots", "proposals REPLACED SLOTS=3 BALLOTS=2"),
  {
    ...holds(
      "progress of proposals whose entries are lost with one member: 3 ballots",
      "proposals PROGRESS LOSSY",
    ),
    isLong: true,
  },
  holds(
    "progress of proposals whose entries are lost with one member: 2 ballots",
    "proposals PROGRESS LOSSY BALLOTS=2",
  ),
  holds("progress of proposals with a doubted unit: 3 ballots", `proposals ${DOUBT}`),
  {
    ...holds(
      "progress of proposals with a unit that is doubted once: 3 ballots",
      `proposals ${DOUBT} AGREES_LATER`,
    ),
    isLong: true,
  },
  holds(
    "progress of proposals after two members were replaced: 3 slots, 2 ballots",
    "proposals PROGRESS REPLACED SLOTS=3 BALLOTS=2",
  ),
  mistake(
    "a decision counts without the remaining ones of its proposal",
    ONE_DECISION,
    "proposals COUNTS_ALONE BALLOTS=2",
    "counts-alone",
  ),
  mistake(
    "a keeper proposes only the rest of a proposal again",
    ONE_DECISION,
    "proposals REST_AGAIN BALLOTS=2",
    "rest-again",
  ),
  mistake(
    "a promise omits the vote for a proposal of which the member has the first decision",
    ONE_DECISION,
    "proposals OPEN_UNTIL_FIRST BALLOTS=2",
    "open-until-first",
  ),
  mistake(
    "the second unit of a proposal is evaluated without the first one",
    "of two units that exclude each other, one is applied",
    "proposals EVALUATES_ALONE BALLOTS=2",
    "evaluates-alone",
  ),
  mistake("a proposal has a unit twice", ONCE, "proposals UNIT_TWICE BALLOTS=2", "unit-twice"),
  mistake(
    "a member votes for one of the units of a proposal",
    "a unit that is not applied follows one that is",
    "proposals VOTES_FOR_PART BALLOTS=2",
    "votes-for-part",
  ),
  mistake(
    "a keeper leaves out a unit in the same attempt",
    ONE_DECISION,
    "proposals SECOND_ATTEMPT BALLOTS=2",
    "leaves-out-unit",
  ),
  mistake(
    "a proposal begins in the slots of one of which the member has some decisions",
    ONE_DECISION,
    "proposals BEGINS_WITHIN REPLACED BALLOTS=2",
    "begins-within",
  ),
  mistake(
    "a proposal begins before a decision that the member has",
    ONE_DECISION,
    "proposals BEGINS_BEFORE REPLACED BALLOTS=2",
    "begins-before",
  ),
  mistake(
    "after lost decisions, a proposal begins within theirs",
    ONE_DECISION,
    "proposals NEXT_WITHIN REPLACED BALLOTS=2",
    "next-within",
  ),
  mistake(
    "a member gives up decisions that other members have",
    ONCE,
    "proposals GIVES_UP_EARLY SLOTS=3 BALLOTS=2",
    "gives-up-early",
  ),
  mistake(
    "a member gives up decisions that its own vote may still make",
    ONCE,
    "proposals GIVES_UP_VOTE REPLACED SLOTS=3 BALLOTS=2",
    "gives-up-vote",
  ),
  mistake(
    "a member does not give up decisions that no member has",
    ALL_DECIDED,
    "proposals NEVER_GIVES_UP PROGRESS REPLACED SLOTS=3 BALLOTS=2",
    "never-gives-up",
  ),
  mistake(
    "a member that has some decisions of a proposal does not vote for it again",
    ALL_DECIDED,
    "proposals BOUND_WAITS PROGRESS LOSSY BALLOTS=2",
    "bound-waits",
  ),
  mistake(
    "a member objects to a proposal without naming a unit",
    OTHER_UNITS,
    `proposals ${DOUBT} OBJECTS_TO_ALL`,
    "objects-to-all",
  ),
  mistake(
    "a doubted unit shares further proposals",
    OTHER_UNITS,
    `proposals ${DOUBT} DOUBTED_TOGETHER`,
    "doubted-together",
  ),
  mistake(
    "a doubted unit remains the first one",
    OTHER_UNITS,
    `proposals ${DOUBT} DOUBTED_FIRST`,
    "doubted-first",
  ),
  mistake(
    "a doubted unit is not proposed again",
    ALL_DECIDED,
    `proposals ${DOUBT} AGREES_LATER DOUBTED_NEVER`,
    "doubted-never",
  ),
];
