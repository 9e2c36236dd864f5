/**
 * Formats and parses numbers as C does on 64 bits. The Lua in this project is compiled for 32 bits, so its own
 * conversions support only smaller integers.
 */

const WORD = 64;
const MIN = -(2n ** 63n);

/** Converts a double to an integer as a 64-bit machine does: a value out of range becomes the minimum. */
export function integerOf(value: number): bigint {
  if (!(Math.abs(value) < 2 ** 63)) return MIN;
  return BigInt(Math.trunc(value));
}

/** Returns whether a number fits into both a signed and an unsigned 32-bit integer. */
export function isShort(value: number): boolean {
  return value >= 0 && value < 2 ** 31;
}

interface IntegerForm {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | null;
  readonly letter: string;
}

/** Formats a number like C's `%d`, `%i`, `%u`, `%x`, `%X` or `%o`, with flags, width and precision. */
export function writtenInteger(value: number, { flags, width, precision, letter }: IntegerForm): string {
  const isSigned = letter === "d" || letter === "i";
  const integer = isSigned ? integerOf(value) : BigInt.asUintN(WORD, unsignedOf(value));
  const base = letter === "o" ? 8 : letter === "x" || letter === "X" ? 16 : 10;
  let digits = (integer < 0n ? -integer : integer).toString(base);
  if (letter === "X") digits = digits.toUpperCase();
  if (precision !== null) digits = digits.padStart(precision, "0");
  let sign = integer < 0n ? "-" : "";
  if (isSigned && integer >= 0n) sign = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  if (flags.includes("#") && integer !== 0n && base === 16) sign = `0${letter}`;
  if (flags.includes("#") && base === 8 && !digits.startsWith("0")) sign = "0";
  if (flags.includes("-")) return (sign + digits).padEnd(width);
  if (flags.includes("0") && precision === null) return sign + digits.padStart(width - sign.length, "0");

  return (sign + digits).padStart(width);
}

/** Converts a double to a 64-bit integer. Values above the signed range, up to the unsigned maximum, are preserved. */
function unsignedOf(value: number): bigint {
  return value >= 2 ** 63 && value < 2 ** 64 ? BigInt(Math.trunc(value)) : integerOf(value);
}

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";
const MAX = 2n ** 64n - 1n;

/** Parses a text like C's strtoul on 64 bits. @returns null if any part of the text is not part of the number */
export function unsigned(text: string, base: number): number | null {
  const found = /^[ \t-\r]*([-+]?)(0[xX](?=[0-9a-fA-F]))?([0-9a-zA-Z]+)[ \t-\r]*$/.exec(text);
  if (found === null) return null;

  const [, sign, prefix = "", body = ""] = found;
  const digits = (prefix !== "" && base !== 16 ? prefix + body : body).toLowerCase();
  let value = 0n;
  for (const digit of digits) {
    const digitValue = DIGITS.indexOf(digit);
    if (digitValue < 0 || digitValue >= base) return null;
    value = value * BigInt(base) + BigInt(digitValue);
    if (value > MAX) value = MAX + 1n;
  }
  if (value > MAX) return Number(MAX);

  return Number(sign === "-" ? BigInt.asUintN(WORD, -value) : value);
}

/** Formats a number as C's `%.<digits>g`. */
export function formatSignificant(value: number, digits: number): string {
  if (Number.isNaN(value)) return Object.is(value, Number.NaN) ? "nan" : "-nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  if (Number.isInteger(value) && Math.abs(value) < 10 ** Math.min(digits, 15)) return String(value);

  const [mantissa = "", exponent = "0"] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power < -4 || power >= digits) {
    const sign = power < 0 ? "-" : "+";
    return `${withoutZeros(mantissa)}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
  }

  return withoutZeros(value.toFixed(digits - 1 - power));
}

function withoutZeros(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}
