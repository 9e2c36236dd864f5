/**
 * Scripts and functions. They run on connections of Redis clients (--resp). Elsewhere there are no scripts, and the
 * commands in this file reply accordingly. Behaviour and error texts are those of Redis 7; test/conformance checks
 * them.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, EMPTY_ARRAY, map, NIL, OK, type Reply, ZERO } from "../../../protocol/reply.js";
import { custom, echoed } from "../arguments/command-errors.js";
import { type Command, type Flag, family } from "../rows/command-row.js";
import { COUNTED_SECOND_SEARCH } from "../rows/key-searches.js";
import { counted, none, read, update } from "../rows/key-spec.js";
import { container, listenerRows } from "../rows/listener-rows.js";

/**
 * Returns the common part of the rows in this file. The commands change no data and are never recorded, so they do not
 * have the flag `write`, even if they are in the category `write`.
 */
const row = (arity: number, flags: readonly Flag[], since: string) => ({
  arity,
  flags,
  keys: none,
  since,
  complexity: "O(1)",
});

const functions = family("scripting", {
  "FUNCTION|DELETE": {
    ...row(3, ["noscript"], "7.0.0"),
    categories: ["write"],
    summary: "Removes a library.",
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    run: () => {
      throw custom("ERR Library not found");
    },
  },
  "FUNCTION|FLUSH": {
    ...row(-2, ["noscript"], "7.0.0"),
    categories: ["write"],
    summary: "Removes all libraries.",
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    run: flushFunctions,
  },
  "FUNCTION|KILL": {
    ...row(2, ["noscript"], "7.0.0"),
    summary: "An error: no function is running when the daemon reads this command.",
    tips: ["request_policy:all_shards", "response_policy:one_succeeded"],
    run: noneRuns,
  },
  "FUNCTION|LIST": {
    ...row(-2, ["noscript"], "7.0.0"),
    summary: "Returns the libraries, and their functions.",
    tips: ["nondeterministic_output_order"],
    run: listFunctions,
  },
  "FUNCTION|STATS": {
    ...row(2, ["noscript"], "7.0.0"),
    summary: "Reports that no function is running, and the number of functions.",
    tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    run: functionStats,
  },
});

const scripts = family("scripting", {
  "SCRIPT|EXISTS": {
    ...row(-3, ["noscript"], "2.6.0"),
    complexity: "O(N), N: scripts named",
    summary: "Returns whether scripts are known, by their SHA-1.",
    tips: ["request_policy:all_shards", "response_policy:agg_logical_and"],
    run: (_, argv) => array(argv.slice(2).map(() => ZERO)),
  },
  "SCRIPT|FLUSH": {
    ...row(-2, ["noscript"], "2.6.0"),
    summary: "Removes all scripts.",
    tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: flushScripts,
  },
  "SCRIPT|KILL": {
    ...row(2, ["noscript"], "2.6.0"),
    summary: "An error: no script is running when the daemon reads this command.",
    tips: ["request_policy:all_shards", "response_policy:one_succeeded"],
    run: noneRuns,
  },
});

const RUN: readonly Flag[] = ["noscript", "stale", "movablekeys"];
const RUN_READING: readonly Flag[] = ["readonly", ...RUN];
const AS_SCRIPT = "Depends on the script";

/** Commands that run scripts. The argument before the keys is the number of keys. */
const running: readonly Command[] = listenerRows("scripting", {
  EVAL: [-3, RUN, "2.6.0", AS_SCRIPT, "Runs a script."],
  EVALSHA: [-3, RUN, "2.6.0", AS_SCRIPT, "Runs a known script, by its SHA-1."],
  EVALSHA_RO: [-3, RUN_READING, "7.0.0", AS_SCRIPT, "Runs a known script that writes nothing, by its SHA-1."],
  FCALL: [-3, RUN, "7.0.0", "Depends on the function", "Runs a function of a library."],
  FCALL_RO: [-3, RUN_READING, "7.0.0", "Depends on the function", "Runs a function that writes nothing."],
  EVAL_RO: [-3, RUN_READING, "7.0.0", AS_SCRIPT, "Runs a script that writes nothing."],
}).map((row) => ({
  ...row,
  keys: counted(row.reads ? read : update, 2),
  keyFlags: [row.reads ? "RO access" : "RW access update"],
  keySearches: COUNTED_SECOND_SEARCH,
  runsScript: true,
}));

const LIBRARIES = "O(N), N: functions";
const keptFunctions: readonly Command[] = [
  ...listenerRows("scripting", {
    "FUNCTION|DUMP": [
      2,
      ["noscript"],
      "7.0.0",
      LIBRARIES,
      "Returns all libraries in the format of FUNCTION RESTORE.",
    ],
  }),
  ...listenerRows(
    "scripting",
    {
      "FUNCTION|LOAD": [
        -3,
        ["denyoom", "noscript"],
        "7.0.0",
        "O(1)",
        "Loads a library of functions.",
        { tips: ["request_policy:all_shards", "response_policy:all_succeeded"] },
      ],
      "FUNCTION|RESTORE": [
        -3,
        ["denyoom", "noscript"],
        "7.0.0",
        LIBRARIES,
        "Loads the libraries of a dump.",
        { tips: ["request_policy:all_shards", "response_policy:all_succeeded"] },
      ],
    },
    { categories: ["write"] },
  ),
];

const scriptStorage: readonly Command[] = listenerRows("scripting", {
  "SCRIPT|DEBUG": [3, ["noscript"], "3.2.0", "O(1)", "An error: there is no debugger.", { anyMaster: false }],
  "SCRIPT|LOAD": [
    3,
    ["noscript", "stale"],
    "2.6.0",
    "O(N), N: its bytes",
    "Stores a script, and returns its SHA-1.",
    { tips: ["request_policy:all_nodes", "response_policy:all_succeeded"] },
  ],
});

export const scripting = [
  ...running,
  ...container("FUNCTION", "7.0.0", [...functions, ...keptFunctions], "7.0.0"),
  ...container("SCRIPT", "2.6.0", [...scripts, ...scriptStorage], "5.0.0", "scripting", {
    connectionUse: "alone",
  }),
];

/** `FUNCTION FLUSH [ASYNC|SYNC]` */
function flushFunctions(_: unknown, argv: readonly ByteString[]): Reply {
  const [, subcommand, mode, ...more] = argv;
  if (more.length > 0)
    throw custom(
      `ERR unknown subcommand or wrong number of arguments for '${echoed(subcommand!)}'. Try FUNCTION HELP.`,
    );
  if (mode !== undefined && !isFlushMode(mode))
    throw custom("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  return OK;
}

/** `SCRIPT FLUSH [ASYNC|SYNC]` */
function flushScripts(_: unknown, argv: readonly ByteString[]): Reply {
  const [, , mode, ...more] = argv;
  if (more.length > 0 || (mode !== undefined && !isFlushMode(mode)))
    throw custom("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  return OK;
}

function isFlushMode(word: ByteString): boolean {
  return /^a?sync$/i.test(word);
}

function noneRuns(): never {
  throw custom("NOTBUSY No scripts in execution right now.");
}

/** `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]` */
function listFunctions(_: unknown, argv: readonly ByteString[]): Reply {
  const unused = new Set(["WITHCODE", "LIBRARYNAME"]);
  for (let i = 2; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if (!unused.delete(option)) throw custom(`ERR Unknown argument ${echoed(argv[i]!)}`);
    if (option === "LIBRARYNAME" && ++i === argv.length)
      throw custom("ERR library name argument was not given");
  }
  return EMPTY_ARRAY;
}

/** Replies like a Redis without any libraries, whose only engine is Lua's. */
function functionStats(): Reply {
  const counts = map([bulk("libraries_count"), ZERO, bulk("functions_count"), ZERO]);
  return map([bulk("running_script"), NIL, bulk("engines"), map([bulk("LUA"), counts])]);
}
