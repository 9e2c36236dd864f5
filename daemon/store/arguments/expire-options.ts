/** Expiry times in arguments, shared by EX, PX, EXAT, PXAT and the EXPIRE commands. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { invalidExpire } from "./command-errors.js";
import { INT64_MAX, INT64_MIN, integerArgument } from "./number-arguments.js";

/** The unit of an option in milliseconds, and whether the option's time counts from the command's date or from 1970. */
export interface ExpireUnit {
  readonly ms: 1 | 1000;
  readonly absolute: boolean;
}

/** Options of SET and GETEX that set an expiry time. */
export const expireUnits: Readonly<Record<string, ExpireUnit>> = {
  EX: { ms: 1000, absolute: false },
  PX: { ms: 1, absolute: false },
  EXAT: { ms: 1000, absolute: true },
  PXAT: { ms: 1, absolute: true },
};

/**
 * Returns an expiry time in milliseconds since 1970.
 * @param name the command's name, for the error
 * @param onlyPositive whether 0 or less is an error, as for SET; for EXPIRE such a time expires the key immediately
 * @throws CommandFailure
 */
export function expireTime(
  argument: ByteString,
  { ms, absolute }: ExpireUnit,
  at: number,
  name: string,
  onlyPositive: boolean,
): number {
  const value = BigInt(integerArgument(argument)) * BigInt(ms);
  const tooEarly = onlyPositive ? value <= 0n : value < INT64_MIN;
  const base = absolute ? 0n : BigInt(at);
  if (tooEarly || value > INT64_MAX - base) throw invalidExpire(name);
  return Number(value + base);
}
