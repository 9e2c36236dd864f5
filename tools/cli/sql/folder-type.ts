/** Types in the files of the earlier SQL server: which values they accept, and how statements write them. */
import type { JacksonValue } from "./jackson-text.js";

export type FolderAtom =
  | { readonly kind: "number" | "text"; readonly min: number | null; readonly max: number | null }
  | { readonly kind: "date" }
  | { readonly kind: "enumeration"; readonly allowed: readonly (string | number)[] };

/** A type; a value is valid if at least one atom accepts it. */
export type FolderType = readonly FolderAtom[];

/**
 * Parses a type.
 * @param supports  the value of the field `supports` in the file
 * @param location  the location for messages
 * @throws Error  the input is not a type
 */
export function typeOf(supports: unknown, location: string): FolderType {
  if (Array.isArray(supports) && supports.length > 0)
    return supports.map((atom: unknown) => atomOf(atom, location));
  throw new Error(`${location}: the type (supports) is missing; copy it from a table with the same columns`);
}

/**
 * Parses the type of a domain from a catalogue: `[["number",0,9],["enumeration","red",3]]`.
 * @throws Error  the input is not a type
 */
export function domainType(text: string): FolderType {
  const atoms = JSON.parse(text) as readonly (readonly [FolderAtom["kind"], ...(string | number | null)[]])[];
  return atoms.map(([kind, ...values]): FolderAtom => {
    if (kind === "date") return { kind };
    if (kind === "enumeration") return { kind, allowed: values.filter((value) => value !== null) };
    const [min = null, max = null] = values as readonly (number | null)[];
    return { kind, min, max };
  });
}

/** Formats a type for a statement. */
export function typeText(type: FolderType): string {
  return type.map(atomText).join(":");
}

/** Checks a value. @returns the error, or null if the value is valid */
export function valueError(type: FolderType, value: unknown): string | null {
  if (value === null) return null;
  if (typeof value !== "string" && typeof value !== "number")
    return `contains ${JSON.stringify(value)}, which is not a number, text or null`;
  if (type.some((atom) => accepts(atom, value))) return null;
  return `contains ${JSON.stringify(value)}, which its type ${typeText(type)} does not accept`;
}

/** Returns a type as it is written to files. Lengths of texts are limited to Java's integers. */
export function typeTree(type: FolderType): JacksonValue {
  return { supports: type.map(atomTree) };
}

function atomTree(atom: FolderAtom): JacksonValue {
  switch (atom.kind) {
    case "number":
      return { ...headOf("domains.NUMBER"), min: atom.min, max: atom.max };
    case "text": {
      const [min, limit] = [integerLength(atom.min, Math.ceil), integerLength(atom.max, Math.floor)];
      return { ...headOf("domains.VARCHAR"), clazz: null, min, limit };
    }
    case "enumeration":
      return { ...headOf("DomainEnum"), allowedValue: atom.allowed };
    case "date":
      return headOf("domains.DATE");
  }
}

const headOf = (name: string) => ({ "@class": `sqlTsinjo.base.${name}`, canBenull: true });

const LENGTH_MAX = 2 ** 31 - 1;

const integerLength = (bound: number | null, round: (bound: number) => number) =>
  bound === null ? null : BigInt(Math.max(-LENGTH_MAX, Math.min(LENGTH_MAX, round(bound))));

const VALUE = String.raw`'(?:[^'\\]|\\.)*'|[^',()]+`;
const ATOM = new RegExp(
  String.raw`(?:(ISA|LAHATSORATRA)\(([^,()]+),([^,()]+)\)|(DATY)|TANISA\(((?:${VALUE})(?:,(?:${VALUE}))*)\))(?::|$)`,
  "suy",
);

/** Parses a type as the answer to `famaritana` (describe) shows it. @throws Error  the input is not a type */
export function parseFolderType(words: string): FolderType {
  const type: FolderAtom[] = [];
  for (let at = 0; at < words.length; at = ATOM.lastIndex) {
    ATOM.lastIndex = at;
    const [found, kind, min, max, date, values] = ATOM.exec(words) ?? [];
    if (found === undefined) throw new Error(`${words} is not a type that the earlier server knows`);
    if (date !== undefined) type.push({ kind: "date" });
    else if (values === undefined)
      type.push({ kind: kind === "ISA" ? "number" : "text", min: boundOf(min), max: boundOf(max) });
    else
      type.push({
        kind: "enumeration",
        allowed: values.match(new RegExp(VALUE, "gsu"))?.map(allowedOf) ?? [],
      });
  }
  return type;
}

const boundOf = (word = "null") => (word === "null" ? null : Number(word));

const allowedOf = (word: string) =>
  word.startsWith("'") ? word.slice(1, -1).replace(/\\(.)/gsu, "$1") : Number(word);

const DATE_CLASS = /\bDAT[EY]$/;

/** Parses an atom by its fields, because the names of classes differ between versions of the earlier server. */
function atomOf(atom: unknown, location: string): FolderAtom {
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
  throw new Error(`${location}: unknown type: ${JSON.stringify(atom)}; create the column with another type`);
}

const isBound = (bound: unknown): bound is number | null => bound === null || typeof bound === "number";

function accepts(atom: FolderAtom, value: string | number): boolean {
  switch (atom.kind) {
    case "number":
      return typeof value === "number" && isWithin(value, atom);
    case "text":
      return typeof value === "string" && isWithin(value.length, atom);
    case "enumeration":
      return atom.allowed.includes(value);
    // The earlier server cannot store dates; the daemons check them.
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
