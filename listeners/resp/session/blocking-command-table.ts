/**
 * Describes the commands that may wait for data: the keys and types that they wait for, the time limit, and the command
 * to run afterwards.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { valuesOf } from "../../../store/commands/streams/read-options.js";
import { timeoutArgument } from "../../../store/commands/timeout-arguments.js";

type Argv = readonly ByteString[];

/**
 * The type that TYPE returns for a key with data; `group`: a stream with entries that the group has not delivered yet.
 */
export type AwaitedType = "list" | "zset" | "stream" | "group";

/** Maximum number of entries that a client receives after waiting for streams, if it did not specify COUNT. */
const COUNT_DEFAULT = "1000";

export interface WaitShape {
  readonly type: AwaitedType;
  readonly keys: Argv;
  /** The time limit in milliseconds; 0: no limit. */
  readonly milliseconds: number;
  /** Returns the command for a key that has data; it reads only this key. */
  readonly argvFor: (key: ByteString) => Argv;
}

/** @param argv  a call that the store has already checked */
export type WaitShapeOf = (argv: Argv) => WaitShape | null;

/** The functions that return what a call waits for, or null if it does not wait. */
export const WAIT_SHAPES: Readonly<Record<string, WaitShapeOf>> = {
  BLMOVE: (argv) => ofOne(argv, 5),
  BLMPOP: (argv) => ofCounted("list", argv),
  BLPOP: (argv) => ofSeveral("list", argv),
  BRPOP: (argv) => ofSeveral("list", argv),
  BRPOPLPUSH: (argv) => ofOne(argv, 3),
  BZMPOP: (argv) => ofCounted("zset", argv),
  BZPOPMAX: (argv) => ofSeveral("zset", argv),
  BZPOPMIN: (argv) => ofSeveral("zset", argv),
  XREAD: (argv) => ofStreams("stream", argv),
  XREADGROUP: (argv) => ofStreams("group", argv),
};

/** `NAME key [key …] timeout` */
function ofSeveral(type: AwaitedType, argv: Argv): WaitShape {
  const milliseconds = timeoutArgument(argv.at(-1) as ByteString);
  return {
    type,
    keys: argv.slice(1, -1),
    milliseconds,
    argvFor: (key) => [argv[0] as ByteString, key, "0"],
  };
}

/** `NAME timeout numkeys key [key …] option …` */
function ofCounted(type: AwaitedType, argv: Argv): WaitShape {
  const count = Number(argv[2]);
  const milliseconds = timeoutArgument(argv[1] as ByteString);
  return {
    type,
    keys: argv.slice(3, 3 + count),
    milliseconds,
    argvFor: (key) => [argv[0] as ByteString, "0", "1", key, ...argv.slice(3 + count)],
  };
}

/** Returns what a move from one list to another waits for. */
function ofOne(argv: Argv, timeoutAt: number): WaitShape {
  const milliseconds = timeoutArgument(argv[timeoutAt] as ByteString);
  return { type: "list", keys: [argv[1] as ByteString], milliseconds, argvFor: () => argv };
}

/** Returns what XREAD and XREADGROUP wait for. `withLastIds` has already replaced `$` with an id. */
function ofStreams(type: "stream" | "group", argv: Argv): WaitShape | null {
  let timeout: ByteString | null = null;
  let isCounted = false;
  let at = 1;
  for (let word = upper(argv, at); word !== "STREAMS"; word = upper(argv, at)) {
    if (word === "BLOCK") timeout = argv[at + 1] as ByteString;
    if (word === "COUNT") isCounted = Number(argv[at + 1]) > 0;
    at += 1 + valuesOf(word);
  }
  if (timeout === null) return null;
  const [first, streams] = [at + 1, (argv.length - at - 1) / 2];
  const keys = argv.slice(first, first + streams);
  return {
    type,
    keys,
    milliseconds: Number(timeout),
    argvFor: (key) => {
      const command = argv.slice(0, at);
      if (!isCounted) command.push("COUNT", COUNT_DEFAULT);
      command.push("STREAMS", key, argv[first + streams + keys.indexOf(key)] as ByteString);
      return command;
    },
  };
}

function upper(argv: Argv, at: number): string {
  return (argv[at] as ByteString).toUpperCase();
}

/** Returns a call of XREAD in which ids replace `$`. @param lastId  returns the last id of a stream */
export function withLastIds(argv: Argv, lastId: (key: ByteString) => ByteString): Argv {
  const streams = argv.findIndex((word, i) => i > 0 && word.toUpperCase() === "STREAMS");
  const count = (argv.length - streams - 1) / 2;
  return argv.map((word, i) =>
    i > streams + count && word === "$" ? lastId(argv[i - count] as ByteString) : word,
  );
}
