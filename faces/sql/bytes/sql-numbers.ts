/** Formats numbers as the earlier SQL server does in its answers and files. */

/** The limits beyond which numbers are written with an exponent. */
const PLAIN_MAX = 1e7;
const PLAIN_MIN = 1e-3;

/** Returns for example `1.0`, `1.0E7` or `1.0E-4`. */
export function numberText(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  if (size >= PLAIN_MIN && size < PLAIN_MAX) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  return `${digits.includes(".") ? digits : `${digits}.0`}E${exponent.replace("+", "")}`;
}
