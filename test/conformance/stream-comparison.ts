/** Compares calls on streams whose replies depend on redis-server's clock, or on its nodes. */
import type { ByteString } from "../../protocol/byte-string.js";
import { array, type Reply } from "../../protocol/reply.js";
import type { Call, Comparison, Incomparable } from "./comparison.js";
import { areNearly, timesOfStream } from "./group-comparison.js";
import { itemsOf, sameReply } from "./resp2-fold.js";

/** A key in redis-server for trials, which no grammar uses. */
const TRIAL = "trial:stream";
/** Indexes in the map that XINFO STREAM returns. */
const NODES = [3, 5];

const hasWord = (argv: readonly ByteString[], ...words: readonly string[]): boolean =>
  argv.some((argument) => words.includes(argument.toUpperCase()));

/** Runs the call in redis-server on a copy of the key, and then `outright`, which contains our result, on the key. */
function tried({ argv, ours }: Call, outright: readonly ByteString[]): Comparison {
  return {
    ask: [
      ["COPY", argv[1]!, TRIAL],
      argv.map((argument, i) => (i === 1 ? TRIAL : argument)),
      ["UNLINK", TRIAL],
      outright,
    ],
    agree: ([, trial, , theirs]) =>
      trial?.kind === ours.kind && theirs !== undefined && sameReply(ours, theirs),
  };
}

/** Returns the length of our stream. */
function lengthOf({ argv, run }: Call): ByteString {
  const length = run(["XLEN", argv[1]!]);
  return length.kind === "integer" ? String(length.value) : "";
}

export const addedByClock: Incomparable = {
  reason:
    "ids follow each side's own clock, and ~ depends on redis-server's nodes, so it receives our id and length",
  compare: (call) => {
    const { argv, ours } = call;
    if (ours.kind !== "bulk" || !hasWord(argv, "*", "~")) return undefined;
    const fields = argv.slice(indexOfId(argv) + 1);
    const trim = hasWord(argv, "~") ? ["MAXLEN", "=", lengthOf(call)] : argv.slice(2, indexOfId(argv));
    return tried(call, ["XADD", argv[1]!, ...trim, ours.bytes, ...fields]);
  },
};

/** Returns the index of XADD's id: the first argument that is not an option. */
function indexOfId(argv: readonly ByteString[]): number {
  let index = 2;
  for (;;) {
    const word = argv[index]!.toUpperCase();
    if (word === "NOMKSTREAM") index++;
    else if (word === "LIMIT") index += 2;
    else if (word === "MAXLEN" || word === "MINID") index += /^[~=]$/.test(argv[index + 1]!) ? 3 : 2;
    else return index;
  }
}

export const trimmedByNode: Incomparable = {
  reason: "~ depends on redis-server's nodes, which removals change, so redis-server receives our length",
  compare: (call) => {
    if (!hasWord(call.argv, "~")) return undefined;
    return tried(call, ["XTRIM", call.argv[1]!, "MAXLEN", "=", lengthOf(call)]);
  },
};

export const withoutNodes: Incomparable = {
  reason: "the form of redis-server's tree is an internal detail, and times of groups are from its clock",
  compare: ({ argv, ours }) => ({
    ask: [argv],
    agree: ([theirs], lag) => areNearly(nodeless(ours), nodeless(theirs), timesOfStream, lag),
  }),
};

function nodeless(reply: Reply | undefined): Reply {
  return array(itemsOf(reply).filter((_, i) => !NODES.includes(i)));
}
