/**
 * Writes one table of the daemons as a file of the earlier SQL server. It reads the table in pages, all from one state.
 */
import { type FileHandle, open, rm } from "node:fs/promises";
import type { Reply } from "../../../protocol/reply.js";
import type { KeyState, TypedRequests } from "../shared/export-requests.js";
import { type FolderType, parseFolderType, typeTree } from "./folder-type.js";
import { type JacksonValue, jacksonText } from "./jackson-text.js";
import { cellsOf, folderCell, type TypedCell, textOf } from "./typed-rows.js";

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
 * Exports a table.
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
    await using handle = await open(file, "w");
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
