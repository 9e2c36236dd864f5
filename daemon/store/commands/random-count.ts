/** The count of SRANDMEMBER, HRANDFIELD and ZRANDMEMBER: positive for different elements, negative with repetition. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { custom } from "../arguments/command-errors.js";
import { INT64_MAX, integerArgument } from "../arguments/number-arguments.js";
import type { Data } from "../keyspace/mutators.js";
import { distinctChoices } from "../keyspace/seeded-choice.js";

/**
 * Maximum number of choices with repetition in one command. Redis has no limit, so one command can keep a Redis server
 * busy until its memory is exhausted. This must not happen to a daemon.
 */
const REPETITIONS_MAX = 300_000;

/** Cost in steps of each choice, in addition to that of the reply's items. */
const CHOSEN_STEPS = 15;

/** Parses a count of either sign. @throws CommandFailure */
export function signedCount(bytes: ByteString): number {
  const count = integerArgument(bytes);
  if (count < -INT64_MAX) {
    throw custom(`ERR value is out of range, value must between ${-INT64_MAX} and ${INT64_MAX}`);
  }
  return Number(count);
}

/**
 * Chooses `count` different indexes 0 ≤ index < n at random, n > 0. If `count` is negative, chooses as many indexes as
 * its absolute value, possibly the same index several times.
 * @throws CommandFailure if the count is too large
 */
export function chosenIndexes(
  { effort }: Data,
  choose: (n: number) => number,
  n: number,
  count: number,
): number[] {
  if (count < -REPETITIONS_MAX)
    throw custom(`ERR value is out of range, at most ${REPETITIONS_MAX} repetitions are answered`);
  effort.countSteps(CHOSEN_STEPS * (count < 0 ? -count : Math.min(count, n)));
  if (count >= 0) return distinctChoices(choose, n, count);
  return Array.from({ length: -count }, () => choose(n));
}
