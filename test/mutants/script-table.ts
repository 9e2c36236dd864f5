/** Mutants of the rules of scripts. */
import type { Mutant } from "./mutant.js";

const RECORDED = "test/listeners/resp/scripts/recorded.test.js";

export const scriptMutants: readonly Mutant[] = [
  {
    name: "scripts: the changes of a script are not undone before it is recorded",
    file: "cluster/replica/trial-run.js",
    find: "this.#database.tryOut(this.#stepsMax, (records) => {",
    replace: "this.#database.withBudget(this.#stepsMax, () => { const records = [];",
    test: RECORDED,
  },
  {
    name: "scripts: the fold chooses random members again",
    file: "store/commands/sets.js",
    find: "isClaim: true,",
    replace: "",
    test: RECORDED,
  },
  {
    name: "scripts: a call that sets what is there already is not recorded",
    file: "cluster/replica/trial-run.js",
    find: 'reply.kind !== "error" && (typeof setsAgain',
    replace: 'reply.kind === "error" && (typeof setsAgain',
    test: RECORDED,
  },
  {
    name: "choices: a claim with an empty choice chooses again",
    file: "store/commands/sets.js",
    find: "if (unit.choice !== undefined)",
    replace: "if (unit.choice !== undefined && unit.choice.length > 0)",
    test: "test/timeline/claims.test.js",
  },
  {
    name: "choices: any key may sign choices",
    file: "protocol/version-2/envelope.js",
    find: "as !== null || choices !== null || expiries !== null",
    replace: "as !== null",
    test: "test/timeline/claims.test.js",
  },
  {
    name: "choices: the commands before a claim are not run",
    file: "cluster/replica/recorded-choices.js",
    find: "if (command.writes)\n                        runOne",
    replace: "if (command.isClaim)\n                        runOne",
    test: "test/cluster/replica/recorded-choices.test.js",
  },
  {
    name: "choices: an unmet EXEC takes something later",
    file: "cluster/replica/recorded-choices.js",
    find: "choices.set(index, []);",
    replace: "choices.delete(index);",
    test: "test/cluster/replica/recorded-choices.test.js",
  },
  {
    name: "choices: a key that is created again has no expiry",
    file: "store/keyspace/mutators.js",
    find: "(this.#unit.expiry ?? expire)",
    replace: "expire",
    test: "test/timeline/claims.test.js",
  },
  {
    name: "choices: an expiry that an earlier command of the envelope sets is not seen",
    file: "cluster/replica/recorded-choices.js",
    find: "changed.add(argv[1]);",
    replace: ";",
    test: "test/cluster/replica/recorded-choices.test.js",
  },
  {
    name: "scripts: a stream entry has the id of the fold instead of the one that the script received",
    file: "store/commands/streams/stream-add.js",
    find: 'reply.kind !== "bulk"',
    replace: "true",
    test: RECORDED,
  },
  {
    name: "scripts: a script runs without a check of its user's rights",
    file: "listeners/resp/session/script-caller.js",
    find: "const refused = session.userSession.refusal(command, argv);",
    replace: "const refused = null;",
    test: "test/listeners/resp/scripts/rights.test.js",
  },
  {
    name: "scripts: a key called BLOCK counts as the option",
    file: "store/rows/wait-rule.js",
    find: "rule?.isOptional === true &&",
    replace: "rule !== undefined &&",
    test: "test/listeners/resp/scripts/programs.test.js",
  },
];
