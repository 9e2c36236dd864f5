/** Formats values for statements. */

export function valueText(value: string | number | null): string {
  if (typeof value === "string") return `'${value.replace(/['\\]/g, "\\$&")}'`;
  return value === null ? "null" : plainNumber(value);
}

/** Formats a number without an exponent, which statements do not allow: `1e-7` becomes `0.0000001`. */
function plainNumber(value: number): string {
  const [, sign = "", integerPart = "", part = "", exponent] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  if (exponent === undefined) return String(value);
  const digits = integerPart + part;
  const point = integerPart.length + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, "0");
}
