/**
 * Reads the data folder of the earlier SQL server. The folder has a subfolder for each database, with the folders
 * `tables`, `domains` and `views`. Each object is a JSON file with the object's name. Source:
 * test/vectors/sql/GRAMMAR.md "On disk".
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type FolderType, typeOf, valueError } from "./folder-type.js";

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
