/**
 * What can be asked of scripts and functions where there are none: whether there are any, and that they go. So whoever
 * empties a server before use (test suites do) finds it empty. Behaviour and texts: Redis 7; checked by test/conformance.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, EMPTY_ARRAY, map, NIL, OK, type Reply, ZERO } from "../../protocol/reply.js";
import { custom, echoed } from "../arguments/errors.js";
import { type Flag, family } from "../rows/command.js";
import { none } from "../rows/key-spec.js";
import { container } from "../rows/listener-rows.js";

/** None of them is recorded, since none changes anything: so none has the flag `write`, whatever its category. */
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
    summary: "An error: there is no such library.",
    run: () => {
      throw custom("ERR Library not found");
    },
  },
  "FUNCTION|FLUSH": {
    ...row(-2, ["noscript"], "7.0.0"),
    categories: ["write"],
    summary: "Answers OK: there are no functions.",
    run: flushFunctions,
  },
  "FUNCTION|KILL": {
    ...row(2, ["noscript"], "7.0.0"),
    summary: "An error: none is running.",
    run: noneRuns,
  },
  "FUNCTION|LIST": {
    ...row(-2, ["noscript"], "7.0.0"),
    summary: "An empty list: there are no libraries.",
    run: listFunctions,
  },
  "FUNCTION|STATS": {
    ...row(2, ["noscript"], "7.0.0"),
    summary: "That none is running, and that there are none.",
    run: functionStats,
  },
});

const scripts = family("scripting", {
  "SCRIPT|EXISTS": {
    ...row(-3, ["noscript"], "2.6.0"),
    complexity: "O(N), N: scripts asked for",
    summary: "0 for each: there are no scripts.",
    run: (_, argv) => array(argv.slice(2).map(() => ZERO)),
  },
  "SCRIPT|FLUSH": {
    ...row(-2, ["noscript"], "2.6.0"),
    summary: "Answers OK: there are no scripts.",
    run: flushScripts,
  },
  "SCRIPT|KILL": {
    ...row(2, ["noscript"], "2.6.0"),
    summary: "An error: none is running.",
    run: noneRuns,
  },
});

export const scripting = [
  ...container("FUNCTION", "7.0.0", functions, "7.0.0"),
  ...container("SCRIPT", "2.6.0", scripts, "5.0.0"),
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
  const left = new Set(["WITHCODE", "LIBRARYNAME"]);
  for (let i = 2; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if (!left.delete(option)) throw custom(`ERR Unknown argument ${echoed(argv[i]!)}`);
    if (option === "LIBRARYNAME" && ++i === argv.length)
      throw custom("ERR library name argument was not given");
  }
  return EMPTY_ARRAY;
}

/** As a Redis answers whose one engine, Lua's, has nothing loaded. */
function functionStats(): Reply {
  const counts = map([bulk("libraries_count"), ZERO, bulk("functions_count"), ZERO]);
  return map([bulk("running_script"), NIL, bulk("engines"), map([bulk("LUA"), counts])]);
}
