/** The searches of `npm run model`: the models of docs/model, their sizes, and what the checker must find. */

export interface Search {
  /** What is searched. `npm run model -- word` selects the searches whose name contains the word. */
  readonly name: string;
  /** The file in docs/model, without `.pml`. */
  readonly model: string;
  /** The sizes and features, and for a mutant the rule that it breaks: `NAME` or `NAME=value`. */
  readonly defines: readonly string[];
  /**
   * `all`: every reachable state. `random`: as many states as RANDOM_MINUTES allow. `shortest`: every state, the
   * nearest first, so that the trace of a mutant is as short as possible.
   */
  readonly search: "all" | "random" | "shortest";
  /** The text of the rule that the checker must find violated (`violated: …` in the model); null: every rule holds. */
  readonly violates: string | null;
  /** The file in docs/model/traces that contains the steps to the violation, without `.txt`. */
  readonly trace?: string;
}

const ONE_DECISION = "a slot has one decision";
const KNOWN_PLAIN_WRITE = "an outcome depends on each plain write that a majority had";

/** Returns a search for the mistake that `mutant` is. */
function mistake(
  name: string,
  violates: string,
  model: string,
  defines: readonly string[],
  trace: string,
): Search {
  return { name: `mistake: ${name}`, model, defines, search: "shortest", violates, trace };
}

/** Searches of the model of conditions. */
const conditions: readonly Search[] = [
  {
    name: "conditions: 3 members, 2 slots, 2 ballots, a plain write",
    model: "conditions",
    defines: ["SLOTS=2", "BALLOTS=2", "PLAIN=1"],
    search: "all",
    violates: null,
  },
  {
    name: "conditions: 3 members, 1 slot, 3 ballots, a restart",
    model: "conditions",
    defines: ["SLOTS=1", "BALLOTS=3", "PLAIN=0", "RESTARTS=1"],
    search: "all",
    violates: null,
  },
  {
    name: "conditions: 3 members, 1 slot, 3 ballots, a lost disk",
    model: "conditions",
    defines: ["SLOTS=1", "BALLOTS=3", "PLAIN=0", "LOSSES=1"],
    search: "all",
    violates: null,
  },
  {
    name: "conditions: 3 members, 2 slots, 3 ballots, a plain write, a restart, a lost disk",
    model: "conditions",
    defines: ["SLOTS=2", "BALLOTS=3", "PLAIN=1", "RESTARTS=1", "LOSSES=1"],
    search: "random",
    violates: null,
  },
  mistake(
    "a member forgets its vote when it restarts",
    ONE_DECISION,
    "conditions",
    ["FORGET_VOTE", "SLOTS=1", "BALLOTS=3", "PLAIN=0", "RESTARTS=1"],
    "forgotten-vote",
  ),
  mistake(
    "the fold evaluates the condition of a decided unit again",
    "a decided unit keeps its effect",
    "conditions",
    ["FOLD_EVALUATES", "SLOTS=1", "BALLOTS=2"],
    "fold-evaluates",
  ),
  mistake(
    "a decision is dated below a write that its members know",
    KNOWN_PLAIN_WRITE,
    "conditions",
    ["BELOW_KNOWN_WRITE", "SLOTS=1", "BALLOTS=2"],
    "below-known-write",
  ),
  mistake(
    "a new keeper does not propose the last vote again",
    ONE_DECISION,
    "conditions",
    ["NEW_PROPOSAL", "SLOTS=1", "BALLOTS=2", "PLAIN=0"],
    "new-proposal",
  ),
  mistake(
    "a member that lost its disk votes immediately",
    ONE_DECISION,
    "conditions",
    ["AMNESIC_VOTES", "SLOTS=1", "BALLOTS=2", "PLAIN=0", "LOSSES=1"],
    "amnesic-votes",
  ),
  mistake(
    "the keeper votes before another member agrees",
    KNOWN_PLAIN_WRITE,
    "conditions",
    ["KEEPER_VOTES_FIRST", "SLOTS=1", "BALLOTS=2"],
    "keeper-votes-first",
  ),
];

export const searches: readonly Search[] = [...conditions];
