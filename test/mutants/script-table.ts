/** The rules of scripts, each broken in one position. */
import type { Mutant } from "./mutant.js";

const RECORDED = "test/listeners/resp/scripts/recorded.test.js";

export const scriptMutants: readonly Mutant[] = [
  {
    name: "scripts: changes of a script are not undone before they are recorded",
    file: "cluster/replica/trial.js",
    find: "this.#database.undo(this.#records);",
    replace: "",
    test: RECORDED,
  },
  {
    name: "scripts: members chosen at random are chosen again by the fold",
    file: "cluster/replica/as-done.js",
    find: 'case "SPOP":',
    replace: 'case "":',
    test: RECORDED,
  },
  {
    name: "scripts: an entry has the fold's id, not the one that the script received",
    file: "cluster/replica/as-done.js",
    find: 'case "XADD":',
    replace: 'case "":',
    test: RECORDED,
  },
  {
    name: "scripts: a script runs without the rights of its user being checked",
    file: "listeners/resp/session/script-caller.js",
    find: "const refused = session.userSession.refusal(command, argv);",
    replace: "const refused = null;",
    test: "test/listeners/resp/scripts/rights.test.js",
  },
];
