/** Mutants of the rules for commands that take exactly what a daemon has answered. */
import type { Mutant } from "./mutant.js";

const CLAIMS = "test/timeline/claims.test.js";
const LISTS = "test/store/commands/lists/list-claims.test.js";

export const claimMutants: readonly Mutant[] = [
  {
    name: "claims: a choice takes from a key that the command does not name",
    file: "store/commands/multiple-pop.js",
    find: "keys.includes(key) ? [key] : []",
    replace: "[key]",
    test: CLAIMS,
  },
  {
    name: "claims: a list takes other elements than the chosen ones",
    file: "store/commands/lists/list-moves.js",
    find: "const atEnd = chosenAtEnd(data, entry.value, end, chosen);",
    replace: "const atEnd = Math.min(chosen.length, entry.value.size);",
    test: CLAIMS,
  },
  {
    name: "claims: a list is searched for elements that are gone",
    file: "store/commands/lists/list-claims.js",
    find: "if (checked === NEAR_ELEMENTS)",
    replace: "if (false)",
    test: LISTS,
  },
  {
    name: "claims: each change of a list drops the numbers of its elements",
    file: "store/values/list.js",
    find: "if (counts.isUnused)",
    replace: "if (true)",
    test: LISTS,
  },
  {
    name: "claims: a sorted set removes a member that has another score",
    file: "store/commands/sorted-sets/sorted-set-pops.js",
    find: "if (value.get(member) === score)",
    replace: "if (value.get(member) !== undefined)",
    test: CLAIMS,
  },
];
