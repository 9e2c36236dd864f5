/** Mutants of the rules for commands that take exactly what a daemon has answered. */
import type { Mutant } from "./mutant.js";

const CLAIMS = "test/daemon/timeline/claims.test.js";
const LISTS = "test/daemon/store/commands/lists/list-claims.test.js";

const CHOICES = "test/daemon/cluster/replica/recorded-choices.test.js";
const SIMULATED = "test/simulation/claims.test.js";

export const claimMutants: readonly Mutant[] = [
  {
    name: "claims: a claim does not find the entry that a command of its envelope has added",
    file: "daemon/cluster/replica/recorded-choices.js",
    find: "claimed.set(before, argv)",
    replace: "void 0",
    test: CHOICES,
  },
  {
    name: "claims: an expiry is recorded that no envelope can contain",
    file: "daemon/cluster/replica/recorded-choices.js",
    find: "Math.min(entry.expire, EXPIRY_MAX)",
    replace: "entry.expire",
    test: CHOICES,
  },
  {
    name: "claims: a key that a claim removes in the same envelope keeps its expiry",
    file: "daemon/cluster/replica/recorded-choices.js",
    find: "if (!command.writes || changed === null)",
    replace: "if (!command.writes || changed === null || isClaim(command, argv))",
    test: CHOICES,
  },
  {
    name: "claims: a claim does not see how a command before it has changed its key",
    file: "daemon/cluster/replica/recorded-choices.js",
    find: "changedUnseen.has(peekedKey)",
    replace: "false",
    test: CHOICES,
  },
  {
    name: "claims: a refused command drops the choices of the others of its envelope",
    file: "daemon/cluster/replica/recorded-choices.js",
    find: "if (multi)",
    replace: "if (true)",
    test: CHOICES,
  },
  {
    name: "claims: commands that change another expiry count as keeping their own",
    file: "daemon/cluster/replica/recorded-choices.js",
    find: "(!command.writes || keepsOnlyKey(command))",
    replace: "true",
    test: CHOICES,
  },
  {
    name: "claims: what a claim takes does not count towards the length of its envelope",
    file: "daemon/cluster/replica/gateway.js",
    find: "bytes > group.bytes && bytes > COMMAND_BYTES_MAX",
    replace: "false",
    test: "test/daemon/cluster/replica/gateway.test.js",
  },
  {
    name: "claims: a choice takes from a key that the command does not name",
    file: "daemon/store/commands/multiple-pop.js",
    find: "keys.includes(key) ? [key] : []",
    replace: "[key]",
    test: CLAIMS,
  },
  {
    name: "claims: a list takes other elements than the chosen ones",
    file: "daemon/store/commands/lists/lists.js",
    find: "const atEnd = chosenAtEnd(data, entry.value, end, chosen);",
    replace: "const atEnd = Math.min(chosen.length, entry.value.size);",
    test: CLAIMS,
  },
  {
    name: "claims: a list is searched for elements that are gone",
    file: "daemon/store/commands/lists/list-search.js",
    find: "if (checked === NEAR_ELEMENTS)",
    replace: "if (false)",
    test: LISTS,
  },
  {
    name: "claims: each change of a list drops the numbers of its elements",
    file: "daemon/store/values/list.js",
    find: "if (!counts.isUnused)",
    replace: "if (false)",
    test: LISTS,
  },
  {
    name: "claims: a sorted set removes a member that has another score",
    file: "daemon/store/commands/sorted-sets/sorted-sets.js",
    find: "if (value.get(member) === score)",
    replace: "if (value.get(member) !== undefined)",
    test: CLAIMS,
  },
  {
    name: "claims: a sorted set removes the only chosen member although it has another score",
    file: "daemon/store/commands/sorted-sets/sorted-sets.js",
    find: "if (value.get(only[0]) !== only[1])",
    replace: "if (value.get(only[0]) === undefined)",
    test: CLAIMS,
  },
  {
    name: "claims: a single member is removed that was added again with another score",
    file: "daemon/store/commands/sorted-sets/sorted-sets.js",
    find: "if (value.get(only[0]) !== only[1])",
    replace: "if (false)",
    test: CLAIMS,
  },
  {
    name: "claims: a daemon records no choice",
    file: "daemon/cluster/replica/recorded-choices.js",
    find: "choices: choices.size > 0 ? choices : null",
    replace: "choices: null",
    test: SIMULATED,
  },
  {
    name: "claims: LPOP removes another element if the chosen one is gone",
    file: "daemon/store/commands/lists/lists.js",
    find: "return bulkOrNil(takeChosen(data, entry, end, chosen)[0]);",
    replace:
      "return bulkOrNil((takeChosen(data, entry, end, chosen)[0]) ?? (chosen.length === 0 ? undefined : data.getAs(List, argv[1]) && data.listPop(data.getAs(List, argv[1]), end)));",
    test: CLAIMS,
  },
  {
    name: "expiries: the row of DECRBY does not declare that it keeps the expiry of its key",
    file: "daemon/store/commands/strings.js",
    find: "keepsExpiryOf: 1,\n        run: decrby,",
    replace: "run: decrby,",
    test: "test/daemon/store/command-table.test.js",
  },
];
