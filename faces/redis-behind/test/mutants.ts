/** Mutants of the rules of a Redis server as the database. */
import type { Mutant } from "../../../test/mutants/mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "scans: a daemon with a Redis accepts the cursor of another daemon",
    file: "faces/redis-behind/redis-backend.js",
    find: "if (value / OWN !== mark())",
    replace: "if (false)",
    test: "faces/redis-behind/test/redis-backend.cursors.test.js",
  },
  {
    name: "scans: a transaction on a Redis receives marked cursors",
    file: "faces/redis-behind/redis-backend.js",
    find: "const own = isScan(argv) ? ownScan(argv) : argv;",
    replace: "const own = argv;",
    test: "faces/redis-behind/test/redis-backend.cursors.test.js",
  },
  {
    name: "scans: a cursor of a Redis Cluster continues on the first master if its own is down",
    file: "faces/redis-behind/cluster-broadcasts.js",
    find: "names.indexOf(name);",
    replace: "Math.max(0, names.indexOf(name));",
    test: "faces/redis-behind/test/redis-cluster.scan.test.js",
  },
  {
    name: "scans: two masters of a Redis Cluster have the same name",
    file: "faces/redis-behind/cluster-broadcasts.js",
    find: "name === 0 || taken.has(name)",
    replace: "name === 0",
    test: "faces/redis-behind/test/redis-cluster.scan.test.js",
  },
];
