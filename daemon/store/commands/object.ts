/**
 * OBJECT and MEMORY USAGE, which report how a value is stored, its memory and, if the eviction policy depends on it,
 * how recently or how often it is used. Behaviour and error texts are those of Redis 7; test/conformance checks them.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, integer, NIL, type Reply, status } from "../../../protocol/reply.js";
import { custom, syntaxError, wrongArity } from "../arguments/command-errors.js";
import { indexArgument } from "../arguments/number-arguments.js";
import { encodingName, referenceCount } from "../keyspace/encoding-name.js";
import type { KeyEntry } from "../keyspace/keyspace.js";
import type { Data } from "../keyspace/mutators.js";
import { estimatedBytes } from "../keyspace/size-estimate.js";
import type { Unit } from "../keyspace/unit.js";
import { family, type Row } from "../rows/command-row.js";
import { inspect, none } from "../rows/key-spec.js";

export const objects = family("server", {
  MEMORY: container("memory", "4.0.0", "Commands about the use of memory."),
  "MEMORY|USAGE": {
    arity: -3,
    flags: ["readonly"],
    keys: [inspect(2)],
    since: "4.0.0",
    complexity: "O(N), N: samples",
    summary: "Returns an estimate of the bytes that a key and its value take.",
    isUse: false,
    run: usage,
  },
  OBJECT: container("object", "2.2.3", "Commands about how values are stored."),
}).concat(
  family("keyspace", {
    "OBJECT|ENCODING": {
      ...about((entry, { forms }, { encoding }) =>
        bulk((encoding && forms?.of(entry)) ?? encodingName(entry.value, encoding)),
      ),
      complexity: "O(N), N: elements, up to the maximum of a compact collection",
      summary: "Returns Redis's name for the encoding of a value.",
      tips: ["nondeterministic_output"],
      isUse: false,
    },
    "OBJECT|FREQ": {
      ...about((entry, { usage }, { at }) => {
        if (usage.kind !== "lfu") throw custom(`ERR An LFU maxmemory policy is not selected, ${NO_COUNT}`);
        return integer(usage.frequency(entry, at));
      }),
      since: "4.0.0",
      summary:
        "Returns the frequency with which clients use a key, with an LFU --maxmemory-policy; otherwise an error.",
      tips: ["nondeterministic_output"],
      isUse: false,
    },
    "OBJECT|HELP": {
      arity: 2,
      flags: ["loading", "stale"],
      keys: none,
      since: "6.2.0",
      complexity: "O(1)",
      summary: "Lists the subcommands.",
      run: () => array(HELP.map(status)),
    },
    "OBJECT|IDLETIME": {
      ...about((entry, { usage }, { at }) => {
        if (usage.kind === "lfu") throw custom(`ERR An LFU maxmemory policy is selected, ${NO_TIME}`);
        return integer(usage.idleSeconds(entry, at));
      }),
      summary:
        "Returns the seconds since a client last used a key on this daemon; with an LFU --maxmemory-policy an error.",
      tips: ["nondeterministic_output"],
      isUse: false,
    },
    "OBJECT|REFCOUNT": {
      ...about((entry) => integer(referenceCount(entry.value))),
      summary: "Returns how many references Redis would count to a value.",
      tips: ["nondeterministic_output"],
      isUse: false,
    },
  }),
);

const ADJUSTING =
  "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
const NO_COUNT = `access frequency not tracked. ${ADJUSTING}`;
const NO_TIME = `idle time not tracked. ${ADJUSTING}`;

const HELP: readonly string[] = [
  "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "ENCODING <key>",
  "    Returns Redis's name for the encoding of the key's value.",
  "FREQ <key>",
  "    Returns how often the key is used, with an LFU maxmemory policy.",
  "IDLETIME <key>",
  "    Returns the seconds since the key was last used, unless an LFU maxmemory policy is selected.",
  "REFCOUNT <key>",
  "    Returns the number of references that Redis would count to the key's value.",
  "HELP",
  "    Prints this help.",
];

const SAMPLES_DEFAULT = 5;
/** Cost in steps of each element whose bytes MEMORY USAGE estimates. */
const SAMPLED_STEPS = 4;

/** Returns the row of a command that consists only of subcommands. */
function container(name: string, since: string, summary: string): Row {
  const run = () => {
    throw wrongArity(name);
  };
  return { arity: -2, flags: [], keys: none, since, complexity: "Depends on the subcommand", summary, run };
}

/** Returns the common part of the rows of commands that report on one key's value. */
function about(answer: (entry: KeyEntry, data: Data, unit: Unit) => Reply): Omit<Row, "summary"> {
  return {
    arity: 3,
    flags: ["readonly"],
    keys: [inspect(2)],
    since: "2.2.3",
    complexity: "O(1)",
    run: (data, argv, unit) => {
      const entry = data.get(argv[2]!);
      return entry === undefined ? NIL : answer(entry, data, unit);
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
  if (entry === undefined) return NIL;

  const { value } = entry;
  const sampled = samples === 0 ? Number.POSITIVE_INFINITY : samples;
  if (typeof value !== "string") data.effort.work(SAMPLED_STEPS * Math.min(value.size, sampled));
  return integer(estimatedBytes(entry.key, value, entry.expire, sampled));
}
