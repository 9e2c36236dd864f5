/** `dbsync import sql:DIR`: databases of a data folder of the earlier SQL server, written to all daemons. */
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { fieldsOf, printLine } from "../shared/output.js";
import type { SendToAll } from "../shared/send-to-all.js";
import {
  databasesIn,
  type FolderDatabase,
  type FolderTable,
  fileOf,
  readDomain,
  readTable,
} from "./data-folder.js";
import { typeText } from "./folder-type.js";
import { importViews } from "./import-views.js";
import { valueText } from "./value-text.js";

/** Rows of a statement, and characters, at most. */
const BATCH_ROWS = 500;
const BATCH_CHARACTERS = 256 * 1024;

/**
 * Imports a folder. Each file is checked completely before any of its rows is sent.
 * @param mayReplace  whether a database that exists may be dropped
 * @throws Error  the file and row that are not valid, and what to do; a daemon has not taken everything
 */
export async function importFolder(folder: string, send: SendToAll, mayReplace = false): Promise<void> {
  const databases = await databasesIn(folder);
  const there = new Set(rowsOf(await send(["SQL", "", "asehoy ny tahiry"])).map(([name]) => name));
  const taken = databases.filter(({ name }) => there.has(name)).map(({ name }) => name);
  if (taken.length > 0 && !mayReplace)
    throw new Error(
      `the daemons have a database ${taken.join(", ")} already; --replace drops it first, with its tables`,
    );
  let [views, rows] = [0, 0];
  for (const database of databases) {
    if (there.has(database.name)) await send(["SQL", "", `ravao ny tahiry ${database.name}`]);
    rows += await importDatabase(folder, database, send).catch((problem: Error) => {
      throw new Error(
        `${problem.message}\nNot everything was taken over: when that is corrected, begin again with --replace.`,
      );
    });
    views += await importViews(folder, database, send);
  }
  const tables = databases.reduce((sum, database) => sum + database.tables.length, 0);
  printLine(`databases: ${databases.length}, tables: ${tables}, views: ${views}, rows: ${rows}`);
}

/** @returns how many rows */
async function importDatabase(
  folder: string,
  { name, domains, tables }: FolderDatabase,
  send: SendToAll,
): Promise<number> {
  const sql = (statement: string) => send(["SQL", name, statement]);
  await send(["SQL", "", `manamboara tahiry ${name}`]);
  for (const domain of domains) {
    const file = fileOf(folder, name, "domains", domain);
    const type = await readDomain(file);
    await namingFile(file, sql(`manamboara efitra ${domain} (${typeText(type)})`));
  }
  let rows = 0;
  for (const table of tables) {
    const file = fileOf(folder, name, "tables", table);
    const content = await readTable(file);
    await namingFile(file, fill(table, content, sql));
    rows += content.rows.length;
  }
  return rows;
}

async function fill(
  table: string,
  { columns, rows }: FolderTable,
  sql: (statement: string) => Promise<ReplyValue>,
): Promise<void> {
  const made = columns.map(({ name, type }) => `${name} ${typeText(type)}`);
  await sql(`manamboara tabilao ${table} (${made.join(", ")})`);
  let batch: string[] = [];
  let characters = 0;
  const flush = async () => {
    if (batch.length > 0) await sql(`manampia ao@ ${table} () sanda ${batch.join()}`);
    batch = [];
    characters = 0;
  };
  for (const row of rows) {
    const text = `(${row.map(valueText).join()})`;
    batch.push(text);
    characters += text.length;
    if (batch.length >= BATCH_ROWS || characters >= BATCH_CHARACTERS) await flush();
  }
  await flush();
  const [[count] = []] = rowsOf(await sql(`alaivo count(*) isa_rehetra #ao@ ${table}`));
  if (Number(count) !== rows.length)
    throw new Error(`${rows.length} rows were sent, and ${String(count)} are there`);
}

/** Adds the name of the file to an error. */
function namingFile<T>(file: string, doing: Promise<T>): Promise<T> {
  return doing.catch((problem: Error) => {
    throw new Error(`${file}: ${problem.message}`);
  });
}

function rowsOf(reply: ReplyValue): ReplyValue[][] {
  const { rows } = fieldsOf(reply);
  return Array.isArray(rows) ? (rows as ReplyValue[][]) : [];
}
