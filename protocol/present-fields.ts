/**
 * Returns the fields that have a value. Other libraries, and types with optional fields, distinguish a field that is
 * absent from one that is null or undefined.
 */
export function presentFields<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: NonNullable<Fields[Name]> } {
  const present = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(present) as { [Name in keyof Fields]?: NonNullable<Fields[Name]> };
}
