/** The commands that may wait for data: which keys of which type they wait for, for how long, and what is run then. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { valuesOf } from "../../../../store/commands/streams/read-options.js";
import { timeoutArgument } from "../../../../store/commands/timeout.js";

type Argv = readonly ByteString[];

/** What TYPE says of a key that has something for whoever waits; `group`: a stream, and what a group of it was not handed. */
export type AwaitedType = "list" | "zset" | "stream" | "group";

/** Entries that who has waited for streams is told at most, unless he says otherwise. */
const COUNT_DEFAULT = "1000";

export interface WaitShape {
  readonly type: AwaitedType;
  readonly keys: Argv;
  /** 0: for ever. */
  readonly milliseconds: number;
  /** What is run once a key has something: it takes of this key alone. */
  readonly argvFor: (key: ByteString) => Argv;
}

/** @param argv  a call that the store has found right */
export type WaitShapeOf = (argv: Argv) => WaitShape | null;

/** By command. null: this call does not wait. */
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
  return {
    ...{ type, keys: argv.slice(1, -1) },
    milliseconds: timeoutArgument(argv.at(-1) as ByteString),
    argvFor: (key) => [argv[0] as ByteString, key, "0"],
  };
}

/** `NAME timeout numkeys key [key …] option …` */
function ofCounted(type: AwaitedType, argv: Argv): WaitShape {
  const count = Number(argv[2]);
  return {
    ...{ type, keys: argv.slice(3, 3 + count) },
    milliseconds: timeoutArgument(argv[1] as ByteString),
    argvFor: (key) => [argv[0] as ByteString, "0", "1", key, ...argv.slice(3 + count)],
  };
}

/** From one list into another. */
function ofOne(argv: Argv, timeoutAt: number): WaitShape {
  const milliseconds = timeoutArgument(argv[timeoutAt] as ByteString);
  return { type: "list", keys: [argv[1] as ByteString], milliseconds, argvFor: () => argv };
}

/** XREAD and XREADGROUP. `$` stands for the id that `withLastIds` has put there. */
function ofStreams(type: "stream" | "group", argv: Argv): WaitShape | null {
  let timeout: ByteString | null = null;
  let count: ByteString = "0";
  let at = 1;
  for (; argv[at]?.toUpperCase() !== "STREAMS"; at += 1 + valuesOf(argv[at] as ByteString)) {
    const word = argv[at]?.toUpperCase();
    if (word === "BLOCK") timeout = argv[at + 1] as ByteString;
    if (word === "COUNT") count = argv[at + 1] as ByteString;
  }
  if (timeout === null) return null;
  const options = [...argv.slice(0, at), ...(Number(count) > 0 ? [] : ["COUNT", COUNT_DEFAULT])];
  const names = argv.slice(at + 1);
  const keys = names.slice(0, names.length / 2);
  const ids = names.slice(names.length / 2);
  return {
    ...{ type, keys, milliseconds: Number(timeout) },
    argvFor: (key) => [...options, "STREAMS", key, ids[keys.indexOf(key)] as ByteString],
  };
}

/** A call of XREAD with ids in place of `$`. @param lastId  of a stream */
export function withLastIds(argv: Argv, lastId: (key: ByteString) => ByteString): Argv {
  const streams = argv.findIndex((word, i) => i > 0 && word.toUpperCase() === "STREAMS");
  const count = (argv.length - streams - 1) / 2;
  return argv.map((word, i) =>
    i > streams + count && word === "$" ? lastId(argv[i - count] as ByteString) : word,
  );
}
