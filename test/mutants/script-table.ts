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
