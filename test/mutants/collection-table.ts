/**
 * Mutants of the rules of collections: the keys that commands access, the data that an undo restores, the meaning of
 * filters and indexes.
 */
import type { Mutant } from "./mutant.js";

const REPORTED = "test/daemon/cluster/history/invalid-indexes.test.js";

export const collectionMutants: readonly Mutant[] = [
  {
    name: "collections: a removed collection is reported as having an invalid index",
    file: "daemon/store/keyspace/keyspace.js",
    find: "if (entry === undefined || isExpired(entry, at) || typeof entry.value",
    replace:
      'if (entry === undefined) yield [key, "gone"];\n            if (entry === undefined || typeof entry.value',
    test: REPORTED,
  },
  {
    name: "collections: a renamed collection is not reported",
    file: "daemon/store/keyspace/keyspace.js",
    find: 'this.#table.push(entry);\n        if (typeof value !== "string")',
    replace: "this.#table.push(entry);\n        if (false)",
    test: REPORTED,
  },
  {
    name: "collections: the public problems name the key of an invalid index",
    file: "protocol/figures/timeline-problems.js",
    find: 'invalidIndexes: report.invalidIndexes.map((invalid) => ({ ...invalid, index: "…", key: HIDDEN_KEY })),',
    replace: "",
    test: "test/daemon/cluster/peers/about.test.js",
  },
];
