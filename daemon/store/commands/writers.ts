/** Commands that read data and have no equivalent in Redis. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulks, ONE, type Reply, ZERO } from "../../../protocol/reply.js";
import type { Data } from "../keyspace/mutators.js";
import type { Unit } from "../keyspace/unit.js";
import { family } from "../rows/command-row.js";
import { read } from "../rows/key-spec.js";

export const dbsync = family("dbsync", {
  DECIDED: {
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [read(1, -1)],
    since: "",
    complexity: "O(N*P), N: keys, P: decided patterns",
    summary: "Returns for each key whether the members decide on every write to it (CLUSTER DECIDE): 1 or 0.",
    isUse: false,
    run: decided,
  },
  WRITERS: {
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [read(1, -1)],
    since: "",
    complexity: "O(N), N: keys",
    summary: "Returns the last writer of each key, for the condition `if`; empty for an absent key.",
    isUse: false,
    run: writers,
  },
});

function writers(data: Data, argv: readonly ByteString[]): Reply {
  return bulks(argv.slice(1).map((key) => data.get(key)?.writer ?? ""));
}

/** The reads that count for each key: about as many patterns may be compared with it. */
const DECIDED_READS = 64;

function decided(data: Data, argv: readonly ByteString[], { db }: Unit): Reply {
  data.effort.countRead(DECIDED_READS * (argv.length - 1));
  return array(argv.slice(1).map((key) => (data.isDecided(db, key) ? ONE : ZERO)));
}
