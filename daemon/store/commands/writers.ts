/** Commands that read data and have no equivalent in Redis. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { bulks, type Reply } from "../../../protocol/reply.js";
import type { Data } from "../keyspace/mutators.js";
import { family } from "../rows/command-row.js";
import { read } from "../rows/key-spec.js";

export const dbsync = family("dbsync", {
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
