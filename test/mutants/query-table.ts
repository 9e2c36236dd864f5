/** Mutants of the rules for filters and updates that DOC.* and MDB.* share. */
import type { Mutant } from "./mutant.js";

const QUERY_CLIENTS = "test/daemon/engine/pipeline/apply-units.test.js";
const ENTRANCES = "test/system/limits-at-entrances.test.js";

export const queryMutants: readonly Mutant[] = [
  {
    name: "keys: RENAME gives a collection a key that names no valid one",
    file: "daemon/store/commands/generic.js",
    find: "checkFits(value, to);",
    replace: "",
    test: ENTRANCES,
  },
  {
    name: "keys: COPY gives a table of SQL a key that names no valid one",
    file: "daemon/store/commands/generic.js",
    find: "checkFits(value, destination);",
    replace: "",
    test: ENTRANCES,
  },
  {
    name: "queries: a later copy receives the answer of a query that ended for its client",
    file: "daemon/engine/pipeline/pipeline.js",
    find: "if (clients?.isGone)",
    replace: "if (false)",
    test: QUERY_CLIENTS,
  },
  {
    name: "queries: a copy joins a query that ends",
    file: "daemon/engine/pipeline/apply-units.js",
    find: "if (this.#isAbandoned)\n            return false;",
    replace: "",
    test: QUERY_CLIENTS,
  },
  {
    name: "queries: an envelope that writes ends when its client disconnects",
    file: "daemon/engine/pipeline/apply-units.js",
    find: " && this.#hasOnlyQueries()",
    replace: "",
    test: QUERY_CLIENTS,
  },
  {
    name: "queries: each step looks up the commands of an envelope whose client has disconnected",
    file: "daemon/engine/pipeline/apply-units.js",
    find: "this.#areQueries ??= ",
    replace: "this.#areQueries = ",
    test: QUERY_CLIENTS,
  },
];
