/** Mutants of the rules by which a daemon without members decides on conditions. */
import type { Mutant } from "./mutant.js";

const TIMELINE = "test/daemon/timeline/lone-conditions.test.js";
const SYSTEM = "test/system/lone-conditions.test.js";

export const loneMutants: readonly Mutant[] = [
  {
    name: "a lone daemon: a unit with a condition undoes an acknowledged one",
    file: "daemon/timeline/fold/entry-budget.js",
    find: "if (isOneConditional(entry.envelope) && decides())",
    replace: "if (false)",
    test: TIMELINE,
  },
  {
    name: "a lone daemon: a unit whose condition does not hold is recorded",
    file: "daemon/timeline/timeline.js",
    find: "if (!isOneConditional(entry.envelope)",
    replace: "if (true || !isOneConditional(entry.envelope)",
    test: TIMELINE,
  },
  {
    name: "a lone daemon: members decide alone, too",
    file: "daemon/timeline/timeline.js",
    find: "if (!isOneConditional(entry.envelope) || !this.#parts.isAlone())",
    replace: "if (!isOneConditional(entry.envelope))",
    test: TIMELINE,
  },
  {
    name: "a lone daemon: a condition is evaluated at the date of its unit",
    file: "daemon/timeline/fold/entry-budget.js",
    find: "const at = Math.max(envelope.at, newest?.at ?? 0);",
    replace: "const at = envelope.at;",
    test: TIMELINE,
  },
  {
    name: "a lone daemon: a client does not date its envelope after the newest write",
    file: "client/version-2/daemon-link.js",
    find: "if (message.newest !== undefined)",
    replace: "if (false)",
    test: SYSTEM,
  },
  {
    name: "a lone daemon: it refuses a unit before the client can sign a later date",
    file: "daemon/cluster/replica/delayed-answers.js",
    find: "delay > DELAY_MS_MAX",
    replace: "true",
    test: SYSTEM,
  },
  {
    name: "a lone daemon: an answer without a record never counts as stable",
    file: "daemon/cluster/replica/delayed-answers.js",
    find: "isUnrecorded: true",
    replace: "isUnrecorded: undefined",
    test: SYSTEM,
  },
  {
    name: "a lone daemon: the condition of a unit that may have been applied is evaluated again",
    file: "daemon/timeline/timeline.js",
    find: "if (this.#isTooOld(entry.envelope))",
    replace: "if (false)",
    test: TIMELINE,
  },
  {
    name: "a lone daemon: it decides alone for a client that names other daemons",
    file: "daemon/listener/dbsync-dialect.js",
    find: "message.members === 0",
    replace: "true",
    test: "test/system/several-lone-daemons.test.js",
  },
];
