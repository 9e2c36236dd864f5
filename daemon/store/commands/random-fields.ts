/**
 * HRANDFIELD. The choice follows from the unit's seed, so every daemon returns the same fields, although daemons need
 * not agree on the reply of a reading command.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, EMPTY_ARRAY, NIL, pairs, type Reply } from "../../../protocol/reply.js";
import { custom, syntaxError } from "../arguments/command-errors.js";
import { INT64_MAX } from "../arguments/number-arguments.js";
import type { Data } from "../keyspace/mutators.js";
import { seededChoice } from "../keyspace/seeded-choice.js";
import type { Unit } from "../keyspace/unit.js";
import { Hash } from "../values/hash.js";
import { chosenIndexes, signedCount } from "./random-count.js";

/** Maximum count with WITHVALUES: twice as many items must fit in 64 bits. */
const COUNT_WITH_VALUES_MAX = INT64_MAX / 2n;

/** `HRANDFIELD key [count [WITHVALUES]]` */
export function hrandfield(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const choose = seededChoice(unit);
  if (argv.length > 2) return randomFields(data, argv, choose);
  const hash = data.getAs(Hash, argv[1]!)?.value;
  return hash === undefined ? NIL : bulk(hash.fields[choose(hash.size)]!);
}

function randomFields(data: Data, argv: readonly ByteString[], choose: (n: number) => number): Reply {
  const count = signedCount(argv[2]!);
  const withValues = argv.length > 3;
  if (withValues && (argv.length > 4 || argv[3]!.toUpperCase() !== "WITHVALUES")) throw syntaxError();
  if (withValues && isTooLarge(BigInt(argv[2]!))) throw custom("ERR value is out of range");
  const hash = data.getAs(Hash, argv[1]!)?.value;
  if (hash === undefined) return EMPTY_ARRAY;
  const indexes = chosenIndexes(data, choose, hash.size, count);
  const { fields, values } = hash;
  const items: Reply[] = [];
  for (const index of indexes) {
    items.push(bulk(fields[index]!));
    if (withValues) items.push(bulk(values[index]!));
  }
  return withValues ? pairs(items) : array(items);
}

function isTooLarge(count: bigint): boolean {
  return count > COUNT_WITH_VALUES_MAX || count < -COUNT_WITH_VALUES_MAX;
}
