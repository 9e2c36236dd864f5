/** Converts values that ioredis decodes, with buffers for strings and text for numbers, into a `Reply`. */
import { bytesOfText } from "../../protocol/byte-string.js";
import { array, bulk, error, integer, NIL, type Reply } from "../../protocol/reply.js";

/**
 * @param value  Buffer: string or status; string or number: integer; array; null; Error inside an array
 * @throws TypeError  ioredis returned another type, which is a bug
 */
export function replyOfRedis(value: unknown): Reply {
  if (value === null) return NIL;
  if (Buffer.isBuffer(value)) return bulk(value.toString("latin1"));
  if (typeof value === "string") return integerOf(value);
  if (typeof value === "number") return integer(value);
  if (Array.isArray(value)) return array(value.map(replyOfRedis));
  if (value instanceof Error) return error(bytesOfText(value.message));
  throw new TypeError(`a reply of type ${typeof value}`);
}

function integerOf(digits: string): Reply {
  const value = Number(digits);
  return integer(Number.isSafeInteger(value) ? value : BigInt(digits));
}
