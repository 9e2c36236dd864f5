/**
 * Adds numbers like C's 80-bit `long double`, because clients see the results of INCRBYFLOAT to the last digit. Values
 * are m × 2^e with at most 64 bits in m, rounded half to even, printed as `%.17Lf` without trailing zeros. Source:
 * redis-server 7.0 on x86-64, test/conformance.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { HEXADECIMAL, INFINITE } from "../arguments/number-arguments.js";

interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const MANTISSA_BITS = 64;
/** Decimal exponents beyond which the type over- or underflows. */
const EXPONENT10_MAX = 4932;
const EXPONENT10_MIN = -4951;
/** The exponent of 2^16384, the first magnitude that is infinite. */
const EXPONENT2_MAX = 16384;
/** The exponent of 2^-16445, the smallest magnitude that is not rounded to 0. */
const EXPONENT2_MIN = -16445;
const ZERO: LongDouble = { mantissa: 0n, exponent: 0 };
/** Number of digits after the decimal point. */
const FRACTION_DIGITS = 17;
/**
 * Maximum length of a text that Redis accepts. Without a limit, a number with millions of digits would keep the daemon
 * busy for minutes.
 */
const TEXT_BYTES_MAX = 5 * 1024 - 1;

/**
 * Matches a decimal number. As in number-arguments.ts, digits match in only one way, because several ways would take
 * quadratic time.
 */
const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i;

/** The reason why a text is not a valid number; the caller turns it into an error. */
export type FloatProblem = "not-a-float" | "infinite";

/** Returns `a + b` in the format of Redis. */
export function addFloats(a: ByteString, b: ByteString): ByteString | FloatProblem {
  const left = parse(a);
  const right = parse(b);
  if (left === "not-a-float" || right === "not-a-float") return "not-a-float";
  if (left === "infinite" || right === "infinite") return "infinite";

  const exponent = Math.min(left.exponent, right.exponent);
  const sum = round(
    (left.mantissa << BigInt(left.exponent - exponent)) +
      (right.mantissa << BigInt(right.exponent - exponent)),
    exponent,
  );
  return isInfinite(sum) ? "infinite" : format(sum);
}

/** Returns `1000 × a`, rounded up to an integer, as C converts seconds to milliseconds. */
export function timesThousand(a: ByteString): bigint | FloatProblem {
  const value = parse(a);
  if (typeof value === "string") return value;
  const { mantissa, exponent } = round(value.mantissa * 1000n, value.exponent);
  return exponent >= 0 ? mantissa << BigInt(exponent) : -(-mantissa >> BigInt(-exponent));
}

function parse(bytes: ByteString): LongDouble | FloatProblem {
  if (bytes.length > TEXT_BYTES_MAX) return "not-a-float";
  const [, sign, integer = "", fraction = "", power = "0"] = DECIMAL.exec(bytes) ?? [];
  if (integer + fraction === "") return INFINITE.test(bytes) ? "infinite" : parseHexadecimal(bytes);
  const digits = BigInt(integer + fraction);
  if (digits === 0n) return ZERO;
  const exponent10 = Number(power) - fraction.length;
  const magnitude = exponent10 + digits.toString().length;
  if (magnitude > EXPONENT10_MAX + 1 || magnitude < EXPONENT10_MIN) return "not-a-float";
  const value = fromDecimal(sign === "-" ? -digits : digits, exponent10);
  return isInfinite(value) ? "not-a-float" : value;
}

function parseHexadecimal(bytes: ByteString): LongDouble | "not-a-float" {
  const [, sign, integer = "", fraction = "", power = "0"] = HEXADECIMAL.exec(bytes) ?? [];
  if (integer + fraction === "") return "not-a-float";
  const digits = BigInt(`0x${integer}${fraction}`);
  if (digits === 0n) return ZERO;
  const exponent = Number(power) - 4 * fraction.length;
  if (bits(digits) + exponent < EXPONENT2_MIN) return "not-a-float";
  const value = round(sign === "-" ? -digits : digits, exponent);
  return isInfinite(value) ? "not-a-float" : value;
}

function fromDecimal(digits: bigint, exponent10: number): LongDouble {
  if (exponent10 >= 0) return round(digits * 10n ** BigInt(exponent10), 0);
  const divisor = 10n ** BigInt(-exponent10);
  const shift = Math.max(0, MANTISSA_BITS + 2 + bits(divisor) - bits(digits));
  const scaled = digits << BigInt(shift);
  const quotient = scaled / divisor;
  const inexact = scaled % divisor === 0n ? 0n : digits < 0n ? -1n : 1n;
  // One extra bit distinguishes an exact half from a slightly larger number.
  return round((quotient << 1n) + inexact, -shift - 1);
}

function round(mantissa: bigint, exponent: number): LongDouble {
  const excess = bits(mantissa) - MANTISSA_BITS;
  if (excess <= 0) return { mantissa, exponent };
  return { mantissa: divideHalfEven(mantissa, 1n << BigInt(excess)), exponent: exponent + excess };
}

function divideHalfEven(value: bigint, divisor: bigint): bigint {
  const negative = value < 0n;
  const magnitude = negative ? -value : value;
  let quotient = magnitude / divisor;
  const twice = 2n * (magnitude % divisor);
  if (twice > divisor || (twice === divisor && quotient % 2n === 1n)) quotient++;
  return negative ? -quotient : quotient;
}

function bits(value: bigint): number {
  return value === 0n ? 0 : (value < 0n ? -value : value).toString(2).length;
}

function isInfinite({ mantissa, exponent }: LongDouble): boolean {
  return bits(mantissa) + exponent > EXPONENT2_MAX;
}

function format({ mantissa, exponent }: LongDouble): ByteString {
  const scaled = mantissa * 10n ** BigInt(FRACTION_DIGITS);
  const units = exponent >= 0 ? scaled << BigInt(exponent) : divideHalfEven(scaled, 1n << BigInt(-exponent));
  const digits = (units < 0n ? -units : units).toString().padStart(FRACTION_DIGITS + 1, "0");
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, "");
  const text = digits.slice(0, -FRACTION_DIGITS) + (fraction === "" ? "" : `.${fraction}`);
  return units < 0n ? `-${text}` : text;
}
