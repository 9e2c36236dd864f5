/** ZADD and ZINCRBY. Behaviour and error texts are those of Redis 7; test/conformance checks them. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { double, integer, NIL, type Reply, ZERO } from "../../../../protocol/reply.js";
import { custom, syntaxError } from "../../arguments/command-errors.js";
import { doubleArgument } from "../../arguments/number-arguments.js";
import type { Data } from "../../keyspace/mutators.js";
import { SortedSet } from "../../values/sorted-set.js";

const OPTIONS = ["nx", "xx", "gt", "lt", "ch", "incr"] as const;
type Option = (typeof OPTIONS)[number];
type Options = ReadonlySet<Option>;
const NO_OPTIONS: Options = new Set();
const INCREMENTS: Options = new Set(["incr"]);

/**
 * @param increments whether the command is ZINCRBY, which behaves like ZADD with INCR and accepts the options that are
 * valid for a single pair
 */
export function zadd(data: Data, argv: readonly ByteString[], increments: boolean): Reply {
  let options = increments ? INCREMENTS : NO_OPTIONS;
  let first = 2;
  for (let option = optionOf(argv[first]); option !== undefined; option = optionOf(argv[++first]))
    options = new Set([...options, option]);
  const count = (argv.length - first) / 2;
  if (count === 0 || !Number.isInteger(count)) throw syntaxError();

  checkCombination(options, count);
  const pairs: [ByteString, number][] = [];
  for (let at = first; at < argv.length; at += 2) pairs.push([argv[at + 1]!, doubleArgument(argv[at]!)]);
  return options.has("incr")
    ? increment(data, argv[1]!, pairs[0]!, options)
    : add(data, argv[1]!, pairs, options);
}

function optionOf(bytes: ByteString | undefined): Option | undefined {
  // Fast path: usually the argument is not an option, but a score, which begins with a digit.
  if (bytes === undefined || bytes.length > 4 || bytes < "A") return undefined;
  const word = bytes.toLowerCase();
  return OPTIONS.find((option) => option === word);
}

function checkCombination(options: Options, pairs: number): void {
  if (options === NO_OPTIONS) return;
  if (options.has("nx") && options.has("xx")) {
    throw custom("ERR XX and NX options at the same time are not compatible");
  }
  if (Number(options.has("gt")) + Number(options.has("lt")) + Number(options.has("nx")) > 1) {
    throw custom("ERR GT, LT, and/or NX options at the same time are not compatible");
  }
  if (options.has("incr") && pairs > 1)
    throw custom("ERR INCR option supports a single increment-element pair");
}

function add(
  data: Data,
  key: ByteString,
  pairs: readonly (readonly [ByteString, number])[],
  options: Options,
): Reply {
  if (data.getAs(SortedSet, key) === undefined && options.has("xx")) return ZERO;
  const entry = data.getOrPut(SortedSet, key);
  let added = 0;
  let changed = 0;
  for (const [member, score] of pairs) {
    const old = entry.value.get(member);
    if (!isWanted(old, score, options)) continue;
    if (old === undefined) added++;
    else if (old !== score) changed++;
    data.score(entry, member, score);
  }

  return integer(options.has("ch") ? added + changed : added);
}

function increment(
  data: Data,
  key: ByteString,
  [member, by]: readonly [ByteString, number],
  options: Options,
): Reply {
  const old = data.getAs(SortedSet, key)?.value.get(member);
  if (old !== undefined && options.has("nx")) return NIL;

  const score = old === undefined ? by : old + by;
  if (Number.isNaN(score)) throw custom("ERR resulting score is not a number (NaN)");
  if (!isWanted(old, score, options)) return NIL;

  data.score(data.getOrPut(SortedSet, key), member, score);
  return double(score);
}

/** Whether the options permit a member to have a score. @param old undefined if the member is absent */
function isWanted(old: number | undefined, score: number, options: Options): boolean {
  if (old === undefined) return !options.has("xx");
  if (options.has("nx")) return false;
  if (options.has("lt")) return score < old;
  return !options.has("gt") || score > old;
}
