/** `dbsync export sql:DIR`: writes the databases of the daemons as a data folder of the earlier SQL server. */
import { type FileHandle, mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { makeFolder, unwritable } from "../../../keys/atomic-file.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { NoteHandler } from "../shared/cli-face.js";
import { printLine } from "../shared/output.js";
import type { KeyState, TypedRequests } from "../shared/requests.js";
import {
  domainType,
  type FolderCell,
  type FolderType,
  fileOf,
  isFolderName,
  type JacksonValue,
  jacksonText,
  parseFolderType,
  typeTree,
} from "./sql-data-folder.js";
import { viewTree } from "./view-tree.js";

/** The infix in the name of a folder that is not complete yet. */
const UNFINISHED = ".unfinished-";
/** Accessible only to the owner, because the folder contains data. */
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/**
 * Writes the folder. If that fails, the folder does not exist.
 * @throws Error  the folder is not empty; a daemon did not answer; a table changes too often
 */
export async function exportFolder(path: string, requests: TypedRequests, note: NoteHandler): Promise<void> {
  const folder = resolve(path);
  await checkFree(folder);
  let made = "";
  try {
    makeFolder(dirname(folder), FOLDER_MODE);
    made = await mkdtemp(folder + UNFINISHED);
    const sums = await exportDatabases(made, requests, note);
    await rename(made, folder).catch((problem: Error) => {
      throw new Error(`${folder}: ${problem.message}; specify a folder that does not exist yet`);
    });
    printLine(
      `databases: ${sums.databases}, tables: ${sums.tables}, views: ${sums.views}, rows: ${sums.rows}`,
    );
  } catch (problem) {
    if (made !== "") await rm(made, { recursive: true, force: true });
    const sentence = unwritable(folder, problem);
    throw sentence === null ? problem : new Error(sentence, { cause: problem });
  }
}

async function checkFree(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((problem: NodeJS.ErrnoException) => {
    if (problem.code === "ENOENT") return [];
    throw new Error(`${folder}: ${problem.message}; specify a folder that does not exist yet`);
  });
  if (entries.length > 0) throw new Error(`${folder} is not empty; specify a folder that does not exist yet`);
}

interface Sums {
  databases: number;
  tables: number;
  views: number;
  rows: number;
}

async function exportDatabases(folder: string, requests: TypedRequests, note: NoteHandler): Promise<Sums> {
  const sums: Sums = { databases: 0, tables: 0, views: 0, rows: 0 };
  for (const database of await namesIn(requests, "", "asehoy ny tahiry", note)) {
    for (const kind of ["tables", "views", "domains"])
      await mkdir(join(folder, database, kind), { recursive: true, mode: FOLDER_MODE });
    sums.views += await exportDomainsAndViews(folder, database, requests, note);
    for (const table of await namesIn(requests, database, "asehoy ny tabilao", note)) {
      const rows = await exportTable(fileOf(folder, database, "tables", table), {
        database,
        table,
        requests,
        note,
      });
      if (rows === null) continue;
      sums.tables++;
      sums.rows += rows;
    }
    sums.databases++;
  }
  return sums;
}

async function namesIn(
  requests: TypedRequests,
  database: string,
  statement: string,
  note: NoteHandler,
): Promise<string[]> {
  const names = cellsOf(await requests.query(["SQL", database, statement])).map(([name]) => textOf(name));
  return names.filter((name) => {
    const isKnown = isFolderName(name);
    if (!isKnown)
      note(
        `${JSON.stringify(name)} is not exported, because its name does not consist of letters, digits and _`,
      );
    return isKnown;
  });
}

/** Exports domains and views. @returns the number of views */
async function exportDomainsAndViews(
  folder: string,
  database: string,
  requests: TypedRequests,
  note: NoteHandler,
): Promise<number> {
  const { readView } = await import("./parsed-statements.js");
  let views = 0;
  for (const [field, text] of pairsOf(await requests.query(["HGETALL", `sql:${database}`]))) {
    const [kind, name = ""] = field.split(" ", 2);
    if ((kind !== "domain" && kind !== "view") || !isFolderName(name)) continue;
    if (kind === "domain") await write(fileOf(folder, database, "domains", name), typeTree(domainType(text)));
    else {
      const query = readView(text);
      if (query === null) {
        note(
          `view ${name} of ${database} is not exported, because the earlier server could not read it: create view ${name} as ${text}`,
        );
        continue;
      }
      views++;
      const selectExpr = viewTree(query, `${database} ${name}`);
      await write(fileOf(folder, database, "views", name), { name, selectExpr });
    }
  }
  return views;
}

function pairsOf(reply: Reply): (readonly [field: string, text: string])[] {
  const items = "items" in reply ? reply.items : [];
  return items.flatMap((field, i) => (i % 2 === 0 ? [[wordOf(field), wordOf(items[i + 1])] as const] : []));
}

const wordOf = (reply: Reply | undefined) => textOfBytes(bytesOfReply(reply));

const bytesOfReply = (reply: Reply | undefined): ByteString => (reply?.kind === "bulk" ? reply.bytes : "");

async function write(file: string, value: JacksonValue): Promise<void> {
  await using handle = await open(file, "wx", FILE_MODE);
  await handle.writeFile(jacksonText(value));
  await handle.sync();
}

/** Approximate size of a page in characters, which determines its number of rows. */
const PAGE_CHARACTERS = 512 * 1024;
/** Number of rows of the first page: few, because a row may be as long as a statement. */
const FIRST_ROWS = 16;
const ROWS_MAX = 2000;
/** Maximum number of attempts to read a table that clients change at the same time. */
const ATTEMPTS = 5;

interface TableExport {
  readonly database: string;
  readonly table: string;
  readonly requests: TypedRequests;
  readonly note: (text: string) => void;
}

interface Column {
  readonly name: string;
  readonly type: FolderType;
}

/**
 * Writes one table of the daemons as a file of the earlier SQL server. It reads the table in pages, all from one state.
 * @returns the number of rows, or null if the table no longer exists
 * @throws Error  the table changes too often, or contains bytes that are not text
 */
export async function exportTable(file: string, parts: TableExport): Promise<number | null> {
  const { database, table, requests } = parts;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const state = await requests.stateOf(`sql:${database}:${table}`);
    if (state === null) {
      // A previous attempt may have written the file.
      await rm(file, { force: true });
      return null;
    }
    await using handle = await open(file, "w", FILE_MODE);
    const rows = await writeTable(handle, state, parts);
    await handle.sync();
    if (rows !== null) return rows;
  }
  throw new Error(
    `${database}.${table} was changed in all ${ATTEMPTS} attempts to read it; stop its writers during the export`,
  );
}

/** Writes a table in a given state. @returns the number of rows, or null if the state has changed */
async function writeTable(
  handle: FileHandle,
  state: KeyState,
  { database, table, requests, note }: TableExport,
): Promise<number | null> {
  const query = (statement: string) => requests.query(["SQL", database, statement], state);
  const described = await query(`famaritana ${table}`);
  if (isNil(described)) return null;

  const notes: string[] = [];
  const columns = cellsOf(described).map((cells) => columnOf(cells, (text) => notes.push(text)));
  await handle.writeFile(headText(table, columns));

  let rows = 0;
  for (let limit = FIRST_ROWS; ; ) {
    const page = await query(`alaivo * #ao@ ${table} #fetra ${rows} ${rows + limit}`);
    if (isNil(page)) return null;
    const cells = cellsOf(page);
    const texts = cells.map((row, i) => rowText(row, `${database}.${table}, row ${rows + i + 1}`));
    const text = texts.join(", ");
    if (texts.length > 0) await handle.writeFile(rows === 0 ? text : `, ${text}`);
    rows += texts.length;
    if (texts.length < limit) break;
    limit = Math.max(1, Math.min(ROWS_MAX, limit * 2, Math.floor((limit * PAGE_CHARACTERS) / text.length)));
  }

  await handle.writeFile(`${rows === 0 ? "" : " "}]\n}`);
  for (const text of notes) note(`${database}.${table}: ${text}`);
  return rows;
}

const isNil = ({ kind }: Reply) => kind === "nil" || kind === "nil-array";

function columnOf([name, words, key]: readonly TypedCell[], note: (text: string) => void): Column {
  const column = { name: textOf(name), type: parseFolderType(textOf(words)) };
  const uniqueness = textOf(key);
  if (uniqueness !== "")
    note(`column ${column.name} is ${uniqueness}, which the earlier server cannot store`);
  if (column.type.some(({ kind }) => kind === "date"))
    note(`column ${column.name} contains dates, which the earlier server cannot insert`);
  return column;
}

/** Returns the text of the file up to the first row. */
function headText(name: string, columns: readonly Column[]): string {
  const head: JacksonValue = {
    name,
    fieldName: columns.map((column) => ({ origin: null, name: column.name })),
    domaines: columns.map(({ type }) => typeTree(type)),
  };
  return `${jacksonText(head).replace(/\n\}$/, "")},\n  "individus" : [ `;
}

function rowText(row: readonly TypedCell[], location: string): string {
  const cells = row.map(folderCell);
  if (cells.includes(undefined)) throw new Error(`${location}: it contains bytes that are not UTF-8 text`);
  return jacksonText(cells as readonly JacksonValue[]);
}

/** A number, the bytes of a text, or null. */
type TypedCell = number | { readonly bytes: ByteString } | null;

/** Returns the rows. @throws Error  the reply is not a relation */
function cellsOf(reply: Reply): TypedCell[][] {
  const items = "items" in reply ? reply.items : [];
  const index = items.findIndex((item) => item.kind === "bulk" && item.bytes === "rows");
  const rows = items[index + 1];
  if (index < 0 || rows === undefined || !("items" in rows))
    throw new Error(`a daemon's answer is not a relation: ${reply.kind}`);
  return rows.items.map((row) => ("items" in row ? row.items.map(cellOf) : []));
}

/** Converts a cell. In replies to envelopes, numbers have the kind `status`; texts never have it. */
function cellOf(reply: Reply): TypedCell {
  if (reply.kind === "status") return Number(reply.text);
  return reply.kind === "bulk" ? { bytes: reply.bytes } : null;
}

/** Returns the text of a cell, or "" if the cell is not a text. */
const textOf = (cell: TypedCell | undefined): string =>
  typeof cell === "object" && cell !== null ? textOfBytes(cell.bytes) : "";

/** Returns a cell for a file, or undefined if it contains bytes that are not text. */
function folderCell(cell: TypedCell): FolderCell | undefined {
  if (cell === null || typeof cell === "number") return cell;
  const text = textOfBytes(cell.bytes);
  return bytesOfText(text) === cell.bytes ? text : undefined;
}
