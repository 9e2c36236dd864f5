/**
 * Reads the data folder of the earlier SQL server, and converts the types, values and JSON texts of its files. The
 * folder has a subfolder for each database, with the folders `tables`, `domains` and `views`. Each object is a JSON
 * file with the object's name. Source: test/vectors/sql/GRAMMAR.md "On disk".
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { numberText } from "../../../faces/sql/bytes/sql-numbers.js";

export interface FolderDatabase {
  readonly name: string;
  readonly domains: readonly string[];
  readonly tables: readonly string[];
  readonly views: readonly string[];
}

export type FolderCell = string | number | null;

export interface FolderTable {
  readonly columns: readonly { readonly name: string; readonly type: FolderType }[];
  readonly rows: readonly (readonly FolderCell[])[];
}

type FolderRow = FolderTable["rows"][number];

const NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u;
const ENDING = ".json";

/**
 * Lists the databases of a folder.
 * @throws Error  it is not a data folder, or contains a name that is invalid in statements
 */
export async function databasesIn(folder: string): Promise<FolderDatabase[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((problem: Error) => {
    throw new Error(
      `${folder}: ${problem.message}; specify the folder that contains a folder for each database`,
    );
  });

  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const databases: FolderDatabase[] = [];
  for (const name of names.sort()) {
    const database = checkedName(name, join(folder, name));
    const [domains, tables, views] = await Promise.all(
      ["domains", "tables", "views"].map((kind) => objectsIn(join(folder, name, kind))),
    );
    databases.push({ name: database, domains: domains ?? [], tables: tables ?? [], views: views ?? [] });
  }
  if (databases.length === 0) throw new Error(`${folder} contains no folder of a database`);
  return databases;
}

/** Whether a name is valid in statements and for the earlier server. */
export const isFolderName = (name: string) => NAME.test(name);

export const fileOf = (
  folder: string,
  database: string,
  kind: "tables" | "domains" | "views",
  name: string,
) => join(folder, database, kind, name + ENDING);

/** Reads the type of a domain. @throws Error  the message names the file and says what to do */
export async function readDomain(file: string): Promise<FolderType> {
  const { supports } = await readObject(file);
  return typeOf(supports, file);
}

/** Reads a view, and returns the tree of its query. @throws Error  the message names the file and says what to do */
export async function readViewObject(file: string): Promise<unknown> {
  const { selectExpr } = await readObject(file);
  return selectExpr;
}

/** Reads a table. @throws Error  the message names the file and the row, and says what to do */
export async function readTable(file: string): Promise<FolderTable> {
  const { fieldName: fields, domaines: domains, individus: rows } = await readObject(file);
  if (!Array.isArray(fields) || !Array.isArray(domains) || !Array.isArray(rows))
    throw broken(file, "fieldName, domaines and individus are not all lists");
  if (fields.length !== domains.length)
    throw broken(file, `it has ${fields.length} columns and ${domains.length} types`);
  const columns = fields.map((field: unknown, i) => {
    const name = checkedName(String((field as { name?: unknown } | null)?.name), `${file}: column ${i + 1}`);
    const domain = domains[i] as { supports?: unknown } | null;
    return { name, type: typeOf(domain?.supports, `${file}: column ${name}`) };
  });
  return { columns, rows: rows.map((row: unknown, i) => checkedRow(row, columns, `${file}: row ${i + 1}`)) };
}

async function objectsIn(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch((problem: NodeJS.ErrnoException) => {
    if (problem.code === "ENOENT") return [];
    throw problem;
  });
  const names = files.filter((file) => file.endsWith(ENDING)).map((file) => file.slice(0, -ENDING.length));
  return names.sort().map((name) => checkedName(name, join(folder, name + ENDING)));
}

async function readObject(file: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile(file, "utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (problem) {
    throw broken(file, text.trim() === "" ? "it is empty" : (problem as Error).message);
  }
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw broken(file, "it contains no object");
}

function checkedRow(row: unknown, columns: FolderTable["columns"], location: string): FolderRow {
  if (!Array.isArray(row) || row.length !== columns.length)
    throw new Error(
      `${location} does not have ${columns.length} values, one for each column; correct it or remove it`,
    );
  for (const [i, { name, type }] of columns.entries()) {
    const problem = valueError(type, row[i]);
    if (problem !== null) throw new Error(`${location}: ${name} ${problem}; correct it or remove the row`);
  }
  return row as FolderRow;
}

function checkedName(name: string, location: string): string {
  if (isFolderName(name)) return name;
  throw new Error(
    `${location}: ${JSON.stringify(name)} does not consist of letters, digits and _; rename it, or move it out of the folder`,
  );
}

/**
 * Returns the error about a damaged file. The earlier server writes files in place, so a crash can leave an incomplete
 * file.
 */
const broken = (file: string, what: string) =>
  new Error(`${file}: ${what}; copy this file from another server's folder, or move it out of this folder`);

/** Types in the files of the earlier SQL server: which values they accept, and how statements write them. */
type FolderAtom =
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
function typeOf(supports: unknown, location: string): FolderType {
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
function valueError(type: FolderType, value: unknown): string | null {
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

/** A value of a JSON text as the earlier SQL server writes it. */
export type JacksonValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | readonly JacksonValue[]
  | { readonly [name: string]: JacksonValue };

/**
 * Formats JSON like the library of the earlier SQL server (Jackson): objects on several lines, lists on one line.
 * Numbers are doubles, and bigints are integers.
 * @param depth  the number of enclosing objects
 */
export function jacksonText(value: JacksonValue, depth = 0): string {
  switch (typeof value) {
    case "string":
      return stringText(value);
    case "number":
      return numberText(value);
    case "object":
      break;
    default:
      return String(value);
  }

  if (value === null) return "null";
  if (isList(value)) {
    if (value.length === 0) return "[ ]";
    return `[ ${value.map((item) => jacksonText(item, depth)).join(", ")} ]`;
  }

  const fields = Object.entries(value);
  if (fields.length === 0) return "{ }";
  const indent = "  ".repeat(depth);
  const lines = fields.map(
    ([name, field]) => `${indent}  ${stringText(name)} : ${jacksonText(field, depth + 1)}`,
  );
  return `{\n${lines.join(",\n")}\n${indent}}`;
}

const isList = (value: object): value is readonly JacksonValue[] => Array.isArray(value);

/** Formats a string, with upper-case digits in escaped control characters. The pattern skips escaped backslashes. */
const stringText = (text: string) =>
  JSON.stringify(text).replace(/\\\\|\\u[0-9a-f]{4}/g, (found) =>
    found.length === 2 ? found : `\\u${found.slice(2).toUpperCase()}`,
  );
