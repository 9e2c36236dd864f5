/**
 * OBJECT and MEMORY USAGE: how a value is kept. Behaviour and texts: Redis 7; checked by test/conformance. When a key was last
 * used, and how often, is not kept.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, integer, NIL, type Reply, status } from "../../protocol/reply.js";
import { family, type Row } from "../command.js";
import { encodingName, referenceCount } from "../encoding-name.js";
import { custom, syntaxError, wrongArity } from "../errors.js";
import { look, none } from "../key-spec.js";
import type { Entry } from "../keyspace.js";
import type { Data } from "../mutators.js";
import { indexArgument } from "../numbers.js";
import { estimatedBytes } from "../size-estimate.js";

export const objects = family("server", {
  MEMORY: container("memory", "4.0.0", "Commands on memory."),
  "MEMORY|USAGE": {
    arity: -3,
    flags: ["readonly"],
    keys: [look(2)],
    since: "4.0.0",
    complexity: "O(N), N: samples",
    summary: "An estimate of the bytes that a key and its value take.",
    run: usage,
  },
  OBJECT: container("object", "2.2.3", "Commands on how values are kept."),
}).concat(
  family("keyspace", {
    "OBJECT|ENCODING": {
      ...about((entry) => bulk(encodingName(entry.value))),
      complexity: "O(N), N: elements, 512 at most",
      summary: "What Redis would call the encoding of a value.",
    },
    "OBJECT|FREQ": {
      ...about(() => {
        throw custom(
          "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching " +
            "between policies at runtime LRU and LFU data will take some time to adjust.",
        );
      }),
      since: "4.0.0",
      summary: "An error, or nil for an absent key: how often a key is used is not kept.",
    },
    "OBJECT|HELP": {
      arity: 2,
      flags: ["loading", "stale"],
      keys: none,
      since: "6.2.0",
      complexity: "O(1)",
      summary: "What subcommands there are.",
      run: () => array(HELP.map(status)),
    },
    "OBJECT|IDLETIME": {
      ...about(() => {
        throw custom("ERR when a key was last used is not kept");
      }),
      summary: "An error, or nil for an absent key: when a key was last used is not kept.",
    },
    "OBJECT|REFCOUNT": {
      ...about((entry) => integer(referenceCount(entry.value))),
      summary: "How many references Redis would count to a value.",
    },
  }),
);

const HELP: readonly string[] = [
  "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "ENCODING <key>",
  "    What Redis would call the encoding of the key's value.",
  "FREQ <key>",
  "    An error: how often a key is used is not kept.",
  "IDLETIME <key>",
  "    An error: when a key was last used is not kept.",
  "REFCOUNT <key>",
  "    How many references Redis would count to the key's value.",
  "HELP",
  "    This list.",
];

const SAMPLES_DEFAULT = 5;

/** A name that stands before subcommands only. */
function container(name: string, since: string, summary: string): Row {
  const run = () => {
    throw wrongArity(name);
  };
  return { arity: -2, flags: [], keys: none, since, complexity: "Depends on the subcommand", summary, run };
}

/** What is common to the commands that say something about one key's value. */
function about(answer: (entry: Entry) => Reply): Omit<Row, "summary"> {
  return {
    arity: 3,
    flags: ["readonly"],
    keys: [look(2)],
    since: "2.2.3",
    complexity: "O(1)",
    run: (data, argv) => {
      const entry = data.get(argv[2]!);
      return entry === undefined ? NIL : answer(entry);
    },
  };
}

function usage(data: Data, argv: readonly ByteString[]): Reply {
  let samples = SAMPLES_DEFAULT;
  for (let i = 3; i < argv.length; i += 2) {
    if (argv[i]!.toUpperCase() !== "SAMPLES" || i + 1 === argv.length) throw syntaxError();
    samples = indexArgument(argv[i + 1]!);
    if (samples < 0) throw syntaxError();
  }
  const entry = data.get(argv[2]!);
  return entry === undefined
    ? NIL
    : integer(estimatedBytes(entry, samples === 0 ? Number.POSITIVE_INFINITY : samples));
}
