/** Mutants of the rules for notifications to subscribers and to programs that copy keys. */
import type { Mutant } from "./mutant.js";

const FOLD = "test/daemon/timeline/fold/changes.test.js";
const USAGE = "test/daemon/store/keyspace/key-usage.test.js";

export const noticeMutants: readonly Mutant[] = [
  {
    name: "usage: a reapplied write counts as a use of its keys",
    file: "daemon/store/keyspace/key-usage.js",
    find: "this.now = isPaused ? NOT_USED : this.fresh;",
    replace: "this.now = this.fresh;",
    test: USAGE,
  },
  {
    name: "notices: a reapplied write notifies again",
    file: "daemon/timeline/fold/fold.js",
    find: "this.database.isRedoing = true;",
    replace: "",
    test: FOLD,
  },
  {
    name: "notices: the expiry of a key notifies twice",
    file: "daemon/store/database.js",
    find: "return this.isRedoing || this.#keyspaces[db].hasTaken(expire);",
    replace: "return this.isRedoing;",
    test: FOLD,
  },
  {
    name: "notices: a fold that replaces another one sends no notification",
    file: "daemon/store/database.js",
    find: "this.observer = other.observer;",
    replace: "",
    test: FOLD,
  },
];
