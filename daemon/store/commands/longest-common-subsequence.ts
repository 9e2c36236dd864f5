/** LCS. The behaviour is that of Redis 7; test/conformance checks it. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { replyOfSteps } from "../../../protocol/lazy-replies.js";
import { array, bulk, integer, map, type Reply } from "../../../protocol/reply.js";
import { custom, syntaxError } from "../arguments/command-errors.js";
import { indexArgument } from "../arguments/number-arguments.js";
import type { EffortBudget } from "../keyspace/effort-budget.js";
import type { Data } from "../keyspace/mutators.js";
import type { Unit } from "../keyspace/unit.js";
import { type CommonRange, commonLength, commonRanges } from "./common-ranges.js";

/** Redis's limit for its table of partial results. It limits the time here, because this daemon stores no table. */
const TABLE_BYTES_MAX = 512 * 1024 * 1024;

interface Options {
  readonly output: "string" | "length" | "ranges";
  readonly minLength: number;
  readonly withLength: boolean;
}

/** Approximate memory of a range and its reply. */
const RANGE_BYTES = 500;
/** Number of table cells that count as one step. */
const CELLS_PER_STEP = 8;

export function longestCommonSubsequence(
  data: Data,
  argv: readonly ByteString[],
  { takesSteps }: Unit,
): Reply {
  const a = data.get(argv[1]!)?.value ?? "";
  const b = data.get(argv[2]!)?.value ?? "";
  if (typeof a !== "string" || typeof b !== "string") {
    throw custom("ERR The specified keys must contain string values");
  }
  const options = readOptions(argv);
  if ((a.length + 1) * (b.length + 1) * 4 > TABLE_BYTES_MAX) {
    throw custom("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  data.effort.work(((a.length + 1) * (b.length + 1)) / CELLS_PER_STEP);
  return replyOfSteps(reply(a, b, options, data.effort), takesSteps);
}

function* reply(
  a: ByteString,
  b: ByteString,
  options: Options,
  effort: EffortBudget,
): Generator<void, Reply> {
  if (options.output === "length") return integer(yield* commonLength(a, b, effort));
  const ranges = yield* commonRanges(a, b, effort);
  effort.hold(ranges.length * RANGE_BYTES);
  if (options.output === "string") {
    return bulk(
      ranges
        .map(({ aStart, aEnd }) => a.slice(aStart, aEnd + 1))
        .reverse()
        .join(""),
    );
  }
  const matches = ranges.filter((range) => lengthOf(range) >= options.minLength);
  return map([
    bulk("matches"),
    array(matches.map((range) => rangeReply(range, options.withLength))),
    bulk("len"),
    integer(ranges.reduce((sum, range) => sum + lengthOf(range), 0)),
  ]);
}

function readOptions(argv: readonly ByteString[]): Options {
  let ranges = false;
  let length = false;
  let withLength = false;
  let minLength = 0;
  for (let i = 3; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if (option === "IDX") ranges = true;
    else if (option === "LEN") length = true;
    else if (option === "WITHMATCHLEN") withLength = true;
    else if (option === "MINMATCHLEN" && i + 1 < argv.length) minLength = indexArgument(argv[++i]!);
    else throw syntaxError();
  }
  if (ranges && length) throw custom("ERR If you want both the length and indexes, please just use IDX.");
  return { output: ranges ? "ranges" : length ? "length" : "string", minLength, withLength };
}

const lengthOf = ({ aStart, aEnd }: CommonRange): number => aEnd - aStart + 1;

function rangeReply(range: CommonRange, withLength: boolean): Reply {
  const { aStart, aEnd, bStart, bEnd } = range;
  const reply = [array([integer(aStart), integer(aEnd)]), array([integer(bStart), integer(bEnd)])];
  if (withLength) reply.push(integer(lengthOf(range)));
  return array(reply);
}
