/** LCS. The behaviour is that of Redis 7; test/conformance checks it. */
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, integer, map, type Reply } from "../../protocol/reply.js";
import { replyOfSteps } from "../../protocol/step-reply.js";
import { custom, syntaxError } from "../arguments/command-errors.js";
import { indexArgument } from "../arguments/number-arguments.js";
import type { Data } from "../keyspace/mutators.js";
import type { Unit } from "../keyspace/unit.js";

/** Redis's limit for the table of partial results. */
const TABLE_BYTES_MAX = 512 * 1024 * 1024;

interface Options {
  readonly output: "string" | "length" | "ranges";
  readonly minLength: number;
  readonly withLength: boolean;
}

/** A range that both strings have in common; both ends are inclusive. */
interface Range {
  aStart: number;
  aEnd: number;
  bStart: number;
  bEnd: number;
}

/** Number of table cells that count as one step. */
const CELLS_PER_STEP = 8;

/**
 * Number of cells of the table that one step fills, or of indexes that one step visits on the way back through the
 * table. Between steps, other commands may run.
 */
const STEP_CELLS = 65_536;

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
  return replyOfSteps(reply(a, b, options), takesSteps);
}

function* reply(a: ByteString, b: ByteString, options: Options): Generator<void, Reply> {
  const lengths = yield* table(a, b);
  const length = lengths[(a.length + 1) * (b.length + 1) - 1] as number;
  if (options.output === "length") return integer(length);
  const ranges = yield* walkBack(a, b, lengths);
  if (options.output === "string") {
    return bulk(
      ranges
        .map(({ aStart, aEnd }) => a.slice(aStart, aEnd + 1))
        .reverse()
        .join(""),
    );
  }
  const matches = ranges.filter(({ aStart, aEnd }) => aEnd - aStart + 1 >= options.minLength);
  return map([
    bulk("matches"),
    array(matches.map((range) => rangeReply(range, options.withLength))),
    bulk("len"),
    integer(length),
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

/**
 * Returns the table of partial results. Row i, column j contains the length of the longest common subsequence of the
 * first i bytes of a and the first j bytes of b; a row has b's length + 1 columns.
 */
function* table(a: ByteString, b: ByteString): Generator<void, Uint32Array> {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  let cells = 0;
  for (let i = 1; i <= a.length; i++)
    for (let from = 1; from <= b.length; from += STEP_CELLS) {
      const to = Math.min(b.length, from + STEP_CELLS - 1);
      fillRow(lengths, a.charCodeAt(i - 1), b, { above: (i - 1) * width, from, to });
      cells += to - from + 1;
      if (cells < STEP_CELLS) continue;
      cells = 0;
      yield;
    }
  return lengths;
}

/** Fills the columns `from` to `to` of a row, both inclusive. @param above index of the row above */
function fillRow(
  lengths: Uint32Array,
  byte: number,
  b: ByteString,
  { above, from, to }: { readonly above: number; readonly from: number; readonly to: number },
): void {
  const row = above + b.length + 1;
  for (let j = from; j <= to; j++)
    lengths[row + j] =
      byte === b.charCodeAt(j - 1)
        ? lengths[above + j - 1]! + 1
        : Math.max(lengths[above + j]!, lengths[row + j - 1]!);
}

/** Returns the common ranges, the last one first. */
function* walkBack(a: ByteString, b: ByteString, lengths: Uint32Array): Generator<void, Range[]> {
  const width = b.length + 1;
  const ranges: Range[] = [];
  let open: Range | null = null;
  let i = a.length;
  let j = b.length;
  let moves = 0;
  while (i > 0 && j > 0) {
    if (++moves % STEP_CELLS === 0) yield;
    if (a.charCodeAt(i - 1) === b.charCodeAt(j - 1)) {
      i--;
      j--;
      if (open === null) ranges.push((open = { aStart: i, aEnd: i, bStart: j, bEnd: j }));
      open.aStart = i;
      open.bStart = j;
    } else {
      open = null;
      if (lengths[(i - 1) * width + j]! > lengths[i * width + j - 1]!) i--;
      else j--;
    }
  }
  return ranges;
}

function rangeReply({ aStart, aEnd, bStart, bEnd }: Range, withLength: boolean): Reply {
  const reply = [array([integer(aStart), integer(aEnd)]), array([integer(bStart), integer(bEnd)])];
  if (withLength) reply.push(integer(aEnd - aStart + 1));
  return array(reply);
}
