/** Mutants of the rules for notifications to subscribers and to programs that copy keys. */
import type { Mutant } from "./mutant.js";

const FOLD = "test/daemon/timeline/fold/changes.test.js";
const USAGE = "test/daemon/store/keyspace/key-usage.test.js";
const TRACKING = "faces/redis/test/tracking.test.js";

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
  {
    name: "notices: undone writes of a script notify",
    file: "daemon/store/database.js",
    find: "this.observer = null;\n        try {\n            return this.withBudget(",
    replace: "try {\n            return this.withBudget(",
    test: "faces/redis/test/notices.test.js",
  },
  {
    name: "tracking: writes that are reapplied after a late write do not count as changes",
    file: "daemon/engine/backends/key-change-observers.js",
    find: "redone(records) {\n        if (this.#keyObservers.size === 0)",
    replace: "redone(records) {\n        if (true)",
    test: TRACKING,
  },
  {
    name: "tracking: a client with NOLOOP is notified of its own writes",
    file: "faces/redis/session/tracking-table.js",
    find: "(mode.noLoop && tracker.by === by)",
    replace: "false",
    test: TRACKING,
  },
  {
    name: "tracking: a client with NOLOOP is notified of what its own scripts write",
    file: "faces/users/user-listeners.js",
    find: "const sender = { db: 0, now, as, isStable, lastWrite, readsAll, encoding };",
    replace: "const sender = { db: 0, now, as, isStable, readsAll, encoding };",
    test: TRACKING,
  },
];
