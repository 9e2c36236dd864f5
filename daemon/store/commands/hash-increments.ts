/**
 * HINCRBY and HINCRBYFLOAT. As in Redis 7, the increment is checked first, then the key's type, then the field's value.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { bulk, integer, type Reply } from "../../../protocol/reply.js";
import { custom, nanOrInfinity, notFloat, overflow } from "../arguments/command-errors.js";
import { addIntegers, integerArgument, parseInteger } from "../arguments/number-arguments.js";
import { addFloats } from "../arithmetic/long-double.js";
import type { Data } from "../keyspace/mutators.js";
import { Hash } from "../values/hash.js";

/** `HINCRBY key field increment` */
export function hincrby(data: Data, argv: readonly ByteString[]): Reply {
  const [, key, field] = argv as [string, ByteString, ByteString];
  const by = integerArgument(argv[3]!);
  const old = parseInteger(data.getAs(Hash, key)?.value.get(field) ?? "0");
  if (old === undefined) throw custom("ERR hash value is not an integer");
  const sum = addIntegers(old, by);
  if (sum === undefined) throw overflow();
  data.hashPut(data.getOrPut(Hash, key), field, String(sum));
  return integer(sum);
}

/** `HINCRBYFLOAT key field increment` */
export function hincrbyfloat(data: Data, argv: readonly ByteString[]): Reply {
  const [, key, field, by] = argv as [string, ByteString, ByteString, ByteString];
  checkIncrement(by);
  const sum = addFloats(data.getAs(Hash, key)?.value.get(field) ?? "0", by);
  if (sum === "not-a-float") throw custom("ERR hash value is not a float");
  if (sum === "infinite") throw nanOrInfinity();
  data.hashPut(data.getOrPut(Hash, key), field, sum);
  return bulk(sum);
}

function checkIncrement(by: ByteString): void {
  const sum = addFloats("0", by);
  if (sum === "not-a-float") throw notFloat();
  if (sum === "infinite") throw custom("ERR value is NaN or Infinity");
}
