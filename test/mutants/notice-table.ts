/** The rules of notifications to subscribers and to programs that copy keys, each broken in one position. */
import type { Mutant } from "./mutant.js";

const FOLD = "test/timeline/fold/changes.test.js";
const TRACKING = "test/listeners/resp/tracking.test.js";

export const noticeMutants: readonly Mutant[] = [
  {
    name: "notices: what is done again is told once more",
    file: "timeline/fold/fold.js",
    find: "this.database.isRedoing = true;",
    replace: "",
    test: FOLD,
  },
  {
    name: "notices: a key's end is told twice",
    file: "store/database.js",
    find: "return this.isRedoing || this.#keyspaces[db].hasTaken(expire);",
    replace: "return this.isRedoing;",
    test: FOLD,
  },
  {
    name: "notices: a fold that takes the place of another tells nobody",
    file: "store/database.js",
    find: "this.listener = other.listener;",
    replace: "",
    test: FOLD,
  },
  {
    name: "notices: what a script tries is told",
    file: "store/database.js",
    find: "const { listener } = this;\n        this.listener = null;",
    replace: "const { listener } = this;",
    test: "test/listeners/resp/notices.test.js",
  },
  {
    name: "tracking: what is done again behind a late write is no change",
    file: "engine/backends/changes.js",
    find: "redone(records) {\n        if (this.#keyObservers.size === 0)",
    replace: "redone(records) {\n        if (true)",
    test: TRACKING,
  },
  {
    name: "tracking: who keeps no loop is told of what he did",
    file: "listeners/resp/session/tracking-table.js",
    find: "(mode.noLoop && tracker.by === by)",
    replace: "false",
    test: TRACKING,
  },
];
