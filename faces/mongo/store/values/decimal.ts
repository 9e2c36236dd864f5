/**
 * Decimal128 of IEEE 754 with a binary coefficient. A decimal is stored as its sixteen bytes, so 1.0 and 1.00 remain
 * different; comparisons and arithmetic decode it. Results are rounded to 34 digits, half to even. Source: IEEE
 * 754-2008, 3.5.2; MongoDB's Decimal128.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";

const DIGITS = 34;
const BIAS = 6176;
const EXPONENT_MIN = -BIAS;
const EXPONENT_MAX = 6111;
const COEFFICIENT_END = 10n ** BigInt(DIGITS);
const SIGN = 1n << 127n;
const COEFFICIENT_MASK = (1n << 113n) - 1n;
const INFINITY_BITS = 0b11110n << 122n;
const NAN_BITS = 0b11111n << 122n;

/** A finite number: coefficient × 10^exponent. */
export interface Finite {
  readonly isNegative: boolean;
  /** The coefficient, which is not negative. */
  readonly coefficient: bigint;
  readonly exponent: number;
}

export type DecimalValue = Finite | "nan" | "infinity" | "-infinity";

export class Decimal {
  /** The sixteen bytes, little-endian. */
  readonly bytes: ByteString;
  #parts: DecimalValue | null = null;

  constructor(bytes: ByteString) {
    this.bytes = bytes;
  }

  get parts(): DecimalValue {
    this.#parts ??= partsOf(this.bytes);
    return this.#parts;
  }
}

function partsOf(bytes: ByteString): DecimalValue {
  let bits = 0n;
  for (let i = 15; i >= 0; i--) bits = (bits << 8n) | BigInt(bytes.charCodeAt(i));
  const isNegative = (bits & SIGN) !== 0n;
  const top = Number((bits >> 122n) & 0b11111n);
  if (top === 0b11111) return "nan";
  if (top === 0b11110) return isNegative ? "-infinity" : "infinity";
  if (top >= 0b11000) {
    // As IEEE 754 requires, a coefficient that is too large counts as 0.
    return { isNegative, coefficient: 0n, exponent: Number((bits >> 111n) & 0x3fffn) - BIAS };
  }

  const coefficient = bits & COEFFICIENT_MASK;
  const exponent = Number((bits >> 113n) & 0x3fffn) - BIAS;
  return { isNegative, coefficient: coefficient < COEFFICIENT_END ? coefficient : 0n, exponent };
}

function ofBits(bits: bigint): Decimal {
  let bytes = "";
  for (let i = 0; i < 16; i++) bytes += String.fromCharCode(Number((bits >> BigInt(8 * i)) & 0xffn));
  return new Decimal(bytes);
}

/** Returns a decimal, rounded to the digits that fit. */
export function decimalOf(parts: DecimalValue): Decimal {
  if (parts === "nan") return ofBits(NAN_BITS);
  if (parts === "infinity") return ofBits(INFINITY_BITS);
  if (parts === "-infinity") return ofBits(SIGN | INFINITY_BITS);

  let { coefficient, exponent } = parts;
  const { isNegative } = parts;

  // Rounds once: removes the excess digits and those below the minimum exponent together.
  const excess = Math.max(digitsOf(coefficient) - DIGITS, EXPONENT_MIN - exponent, 0);
  if (excess > 0) {
    coefficient = shiftedDown(coefficient, excess);
    exponent += excess;
    if (coefficient === COEFFICIENT_END) {
      coefficient /= 10n;
      exponent++;
    }
  }

  while (exponent > EXPONENT_MAX && coefficient !== 0n && coefficient * 10n < COEFFICIENT_END) {
    coefficient *= 10n;
    exponent--;
  }

  if (exponent > EXPONENT_MAX) {
    if (coefficient !== 0n) return decimalOf(isNegative ? "-infinity" : "infinity");
    exponent = EXPONENT_MAX;
  }

  return ofBits((isNegative ? SIGN : 0n) | (BigInt(exponent + BIAS) << 113n) | coefficient);
}

export const digitsOf = (coefficient: bigint): number =>
  coefficient === 0n ? 0 : coefficient.toString().length;

/** Divides by a power of ten; rounds half to even. */
function shiftedDown(coefficient: bigint, digits: number): bigint {
  // The result is rounded to 0.
  if (digits > digitsOf(coefficient) + 1) return 0n;
  return dividedEven(coefficient, 10n ** BigInt(digits));
}

function dividedEven(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  const twice = 2n * (dividend % divisor);
  return twice > divisor || (twice === divisor && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

const finite = (signed: bigint, exponent: number, isNegativeZero = false): Finite => ({
  isNegative: signed < 0n || (signed === 0n && isNegativeZero),
  coefficient: signed < 0n ? -signed : signed,
  exponent,
});

const signedOf = ({ isNegative, coefficient }: Finite): bigint => (isNegative ? -coefficient : coefficient);
const isNegativePart = (parts: DecimalValue): boolean =>
  typeof parts === "string" ? parts === "-infinity" : parts.isNegative;
const isZero = (parts: DecimalValue): boolean => typeof parts !== "string" && parts.coefficient === 0n;

/**
 * If the exponents of two numbers differ by more than this, the number with the lower exponent affects only the
 * rounding of the sum.
 */
const APART_MAX = 3 * DIGITS;

export function decimalSum(a: DecimalValue, b: DecimalValue): DecimalValue {
  if (a === "nan" || b === "nan") return "nan";
  if (typeof a === "string") return typeof b === "string" && a !== b ? "nan" : a;
  if (typeof b === "string") return b;

  const [high, low] = a.exponent >= b.exponent ? [a, b] : [b, a];
  if (high.coefficient !== 0n && high.exponent - low.exponent > APART_MAX) {
    const exponent = high.exponent - APART_MAX;
    const nudge = low.coefficient === 0n ? 0n : low.isNegative ? -1n : 1n;
    return finite(signedOf(high) * 10n ** BigInt(APART_MAX) + nudge, exponent);
  }

  const raised = high.coefficient === 0n ? 0n : signedOf(high) * 10n ** BigInt(high.exponent - low.exponent);
  return finite(raised + signedOf(low), low.exponent, a.isNegative && b.isNegative);
}

export function decimalProduct(a: DecimalValue, b: DecimalValue): DecimalValue {
  if (a === "nan" || b === "nan") return "nan";
  const isNegative = isNegativePart(a) !== isNegativePart(b);
  if (typeof a === "string" || typeof b === "string")
    return isZero(a) || isZero(b) ? "nan" : isNegative ? "-infinity" : "infinity";
  return { isNegative, coefficient: a.coefficient * b.coefficient, exponent: a.exponent + b.exponent };
}

/** @param divisor a positive count */
export function decimalQuotient(a: DecimalValue, divisor: bigint): DecimalValue {
  if (typeof a === "string" || a.coefficient === 0n) return a;
  // Calculates more digits than a decimal stores, and appends a digit 1 if there is a remainder, so that rounding is
  // correct.
  const digits = DIGITS + 2 + digitsOf(divisor);
  const scaled = a.coefficient * 10n ** BigInt(digits);
  let coefficient = scaled / divisor;
  let exponent = a.exponent - digits;
  if (scaled % divisor !== 0n) {
    coefficient = coefficient * 10n + 1n;
    exponent--;
  }

  while (exponent < a.exponent && coefficient % 10n === 0n) {
    coefficient /= 10n;
    exponent++;
  }

  return { isNegative: a.isNegative, coefficient, exponent };
}

const TEXT = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d{1,6}))?$/;

/** @returns undefined if the text is not a decimal */
export function decimalOfText(text: string): Decimal | undefined {
  const special = SPECIAL.get(text.toLowerCase());
  if (special !== undefined) return decimalOf(special);

  const match = TEXT.exec(text);
  if (match === null || text.length > 1000) return undefined;

  const [, sign, integer = "", part = "", only = "", power = "0"] = match;
  const fraction = part + only;
  return decimalOf({
    isNegative: sign === "-",
    coefficient: BigInt(integer + fraction),
    exponent: Number(power) - fraction.length,
  });
}

const SPECIAL: ReadonlyMap<string, DecimalValue> = new Map<string, DecimalValue>([
  ["nan", "nan"],
  ["infinity", "infinity"],
  ["inf", "infinity"],
  ["+infinity", "infinity"],
  ["-infinity", "-infinity"],
  ["-inf", "-infinity"],
]);

/**
 * Writes a decimal as IEEE 754 does: in scientific notation if the exponent is positive or the number begins with many
 * zeros.
 */
export function decimalText({ parts }: Decimal): string {
  if (parts === "nan") return "NaN";
  if (parts === "infinity") return "Infinity";
  if (parts === "-infinity") return "-Infinity";

  const { isNegative, coefficient, exponent } = parts;
  const sign = isNegative ? "-" : "";
  const digits = coefficient.toString();
  const adjusted = exponent + digits.length - 1;
  if (exponent > 0 || adjusted < -6) {
    const rest = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${rest}E${adjusted >= 0 ? "+" : ""}${adjusted}`;
  }
  if (exponent === 0) return sign + digits;

  const padded = digits.padStart(1 - exponent, "0");
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}
