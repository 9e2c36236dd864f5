/** Formats doubles as Redis 7.0 does for wire formats without doubles: like C's `%.17g`. */

const DIGITS = 17;
/**
 * The number of digits that is sufficient to detect a tie: a double with exactly 18 digits, the last of which is a 5.
 */
const DIGITS_OF_TIE = 60;
/** The number from which JavaScript's `toFixed` writes an exponent. */
const FIXED_MAX = 1e21;

/** Formats a double: `0.1` → `0.10000000000000001`, `3` → `3`, `1e21` → `1e+21`, infinities → `inf`, `-inf`. */
export function formatDouble(value: number): string {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? "-0" : String(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";

  const [mantissa = "", exponent = "0"] = roundedToEven(Math.abs(value)).split("e");
  const sign = value < 0 ? "-" : "";
  const power = Number(exponent);

  if (power < -4 || power >= DIGITS) {
    const exponentDigits = String(Math.abs(power)).padStart(2, "0");
    return `${sign}${trimZeros(mantissa)}e${power < 0 ? "-" : "+"}${exponentDigits}`;
  }

  const digits = mantissa.replace(".", "");
  if (power < 0) return `${sign}${trimZeros(`0.${"0".repeat(-power - 1)}${digits}`)}`;
  return `${sign}${trimZeros(`${digits.slice(0, power + 1)}.${digits.slice(power + 1)}`)}`;
}

/** Formats a double like C's `%.<digits>f`, with at least one digit after the point. Ties are rounded to even. */
export function formatFixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return formatDouble(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  if (size >= FIXED_MAX) return `${sign}${BigInt(size)}.${"0".repeat(digits)}`;
  const oneMore = size.toFixed(digits + 1);
  const isTie = Number.isInteger(size * 2 ** (digits + 1)) && /[02468]5$/.test(oneMore);
  return sign + (isTie ? oneMore.slice(0, -1) : size.toFixed(digits));
}

/** Returns 17 digits in exponential form. C rounds ties to even, and JavaScript rounds them up. */
function roundedToEven(value: number): string {
  const greater = value.toExponential(DIGITS - 1);
  const last = DIGITS; // the point counts too
  if (Number(greater[last]) % 2 === 0) return greater;
  const [mantissa = ""] = value.toExponential(DIGITS_OF_TIE).split("e");
  if (!/^50*$/.test(mantissa.slice(last + 1))) return greater;
  return `${greater.slice(0, last)}${Number(greater[last]) - 1}${greater.slice(last + 1)}`;
}

function trimZeros(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0*$/, "") : digits;
}
