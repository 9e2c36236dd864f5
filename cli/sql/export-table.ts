/** Writes one table of the daemons as a file of the earlier SQL server, page by page; all pages show one state. */
import { type FileHandle, open, rm } from "node:fs/promises";
import type { Reply } from "../../protocol/reply.js";
import type { KeyState, TypedAsking } from "../shared/typed-asking.js";
import { type FolderType, typeOfWords, typeTree } from "./folder-type.js";
import { type JacksonValue, jacksonText } from "./jackson-text.js";
import { cellsOf, folderCell, type TypedCell, textOf } from "./typed-rows.js";

/** Characters of a page, roughly, from which its number of rows follows; the first has few: a row may be as long as a statement. */
const PAGE_CHARACTERS = 512 * 1024;
const FIRST_ROWS = 16;
const ROWS_MAX = 2000;
/** Attempts to read a table that is changed meanwhile. */
const ATTEMPTS = 5;

interface TableExport {
  readonly database: string;
  readonly table: string;
  readonly asking: TypedAsking;
  readonly tell: (note: string) => void;
}

interface Column {
  readonly name: string;
  readonly type: FolderType;
}

/**
 * @returns the number of rows; null: it no longer exists @throws Error  it is changed again and again, or contains bytes
 * that are not text
 */
export async function exportTable(file: string, parts: TableExport): Promise<number | null> {
  const { database, table, asking } = parts;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const state = await asking.stateOf(`sql:${database}:${table}`);
    if (state === null) {
      // The state of the table when the export began.
      await rm(file, { force: true });
      return null;
    }
    await using handle = await open(file, "w");
    const rows = await writeTable(handle, state, parts);
    await handle.sync();
    if (rows !== null) return rows;
  }
  throw new Error(
    `${database}.${table} has been changed ${ATTEMPTS} times while it was read; stop its writers for that long`,
  );
}

/** @returns null: it has been changed */
async function writeTable(
  handle: FileHandle,
  state: KeyState,
  { database, table, asking, tell }: TableExport,
): Promise<number | null> {
  const ask = (statement: string) => asking.ask(["SQL", database, statement], state);
  const described = await ask(`famaritana ${table}`);
  if (isNil(described)) return null;
  const notes: string[] = [];
  const columns = cellsOf(described).map((cells) => columnOf(cells, (note) => notes.push(note)));
  await handle.writeFile(headText(table, columns));
  let rows = 0;
  for (let most = FIRST_ROWS; ; ) {
    const page = await ask(`alaivo * #ao@ ${table} #fetra ${rows} ${rows + most}`);
    if (isNil(page)) return null;
    const cells = cellsOf(page);
    const texts = cells.map((row, i) => rowText(row, `${database}.${table}, row ${rows + i + 1}`));
    const text = texts.join(", ");
    if (texts.length > 0) await handle.writeFile(rows === 0 ? text : `, ${text}`);
    rows += texts.length;
    if (texts.length < most) break;
    most = Math.max(1, Math.min(ROWS_MAX, most * 2, Math.floor((most * PAGE_CHARACTERS) / text.length)));
  }
  await handle.writeFile(`${rows === 0 ? "" : " "}]\n}`);
  for (const note of notes) tell(`${database}.${table}: ${note}`);
  return rows;
}

const isNil = ({ kind }: Reply) => kind === "nil" || kind === "nil-array";

function columnOf([name, words, key]: readonly TypedCell[], note: (text: string) => void): Column {
  const column = { name: textOf(name), type: typeOfWords(textOf(words)) };
  const uniqueness = textOf(key);
  if (uniqueness !== "") note(`that column ${column.name} is ${uniqueness} is not in the folder`);
  if (column.type.some(({ kind }) => kind === "date"))
    note(`the earlier server takes no dates into column ${column.name}`);
  return column;
}

/** Returns the text up to the first row. */
function headText(name: string, columns: readonly Column[]): string {
  const head: JacksonValue = {
    name,
    fieldName: columns.map((column) => ({ origin: null, name: column.name })),
    domaines: columns.map(({ type }) => typeTree(type)),
  };
  return `${jacksonText(head).replace(/\n\}$/, "")},\n  "individus" : [ `;
}

function rowText(row: readonly TypedCell[], place: string): string {
  const cells = row.map(folderCell);
  if (cells.includes(undefined)) throw new Error(`${place}: it holds bytes that are no text (UTF-8)`);
  return jacksonText(cells as readonly JacksonValue[]);
}
