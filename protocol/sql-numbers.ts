/** Numbers as the earlier SQL server writes them, in answers and in its files. */

/** Numbers from here on have an exponent. */
const PLAIN_MAX = 1e7;
const PLAIN_MIN = 1e-3;

/** `1.0`, `1.0E7`, `1.0E-4`. */
export function numberText(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  if (size >= PLAIN_MIN && size < PLAIN_MAX) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  return `${digits.includes(".") ? digits : `${digits}.0`}E${exponent.replace("+", "")}`;
}
