/** Types as the earlier SQL server's files have them: what they take, and what statements call them. */
import { valueText } from "./value-text.js";

export type FolderAtom =
  | { readonly kind: "number" | "text"; readonly min: number | null; readonly max: number | null }
  | { readonly kind: "date" }
  | { readonly kind: "enumeration"; readonly allowed: readonly (string | number)[] };

/** A value fits if one of them takes it. */
export type FolderType = readonly FolderAtom[];

/** @param supports  of the file @param place  for messages @throws Error  it is no type */
export function typeOf(supports: unknown, place: string): FolderType {
  if (Array.isArray(supports) && supports.length > 0)
    return supports.map((atom: unknown) => atomOf(atom, place));
  throw new Error(`${place}: there is no type (supports); mend it by that of a table made alike`);
}

/** The words of a statement for it. */
export function typeText(type: FolderType): string {
  return type.map(atomText).join(":");
}

/** @returns what is wrong with it; null: it fits */
export function misfit(type: FolderType, value: unknown): string | null {
  if (value === null) return null;
  if (typeof value !== "string" && typeof value !== "number")
    return `holds ${JSON.stringify(value)}, which is no number, text or null`;
  if (type.some((atom) => takes(atom, value))) return null;
  return `holds ${JSON.stringify(value)}, which its type ${typeText(type)} does not take`;
}

const DATE_CLASS = /\bDAT[EY]$/;

/** By what it has, as the names of classes differ between versions of the original. */
function atomOf(atom: unknown, place: string): FolderAtom {
  const {
    allowedValue,
    min,
    max,
    limit,
    "@class": name = "",
  } = (atom ?? {}) as Readonly<Record<string, unknown>>;
  if (DATE_CLASS.test(String(name))) return { kind: "date" };
  if (Array.isArray(allowedValue)) {
    const allowed = allowedValue.filter((value) => typeof value === "string" || typeof value === "number");
    if (allowed.length === allowedValue.length && allowed.length > 0) return { kind: "enumeration", allowed };
  } else if (limit !== undefined && isBound(min) && isBound(limit)) return { kind: "text", min, max: limit };
  else if (max !== undefined && isBound(min) && isBound(max)) return { kind: "number", min, max };
  throw new Error(
    `${place}: a type of no known form: ${JSON.stringify(atom)}; make the column with another one`,
  );
}

const isBound = (bound: unknown): bound is number | null => bound === null || typeof bound === "number";

function takes(atom: FolderAtom, value: string | number): boolean {
  switch (atom.kind) {
    case "number":
      return typeof value === "number" && isWithin(value, atom);
    case "text":
      return typeof value === "string" && isWithin(value.length, atom);
    case "enumeration":
      return atom.allowed.includes(value);
    // The original can keep none: the daemons judge it.
    case "date":
      return typeof value === "string";
  }
}

const isWithin = (size: number, { min, max }: { min: number | null; max: number | null }) =>
  (min === null || size >= min) && (max === null || size <= max);

function atomText(atom: FolderAtom): string {
  switch (atom.kind) {
    case "number":
      return `ISA(${valueText(atom.min)},${valueText(atom.max)})`;
    case "text":
      return `LAHATSORATRA(${valueText(atom.min)},${valueText(atom.max)})`;
    case "enumeration":
      return `TANISA(${atom.allowed.map(valueText).join(",")})`;
    case "date":
      return "DATY";
  }
}
