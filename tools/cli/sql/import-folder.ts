/** `dbsync import sql:DIR`: copies the databases of a data folder of the earlier SQL server to all daemons. */
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { printLine, printNotice } from "../shared/output.js";
import { showProgress } from "../shared/progress.js";
import { fieldsOf } from "../shared/read-figures.js";
import type { SendToAll } from "../shared/requests.js";
import {
  databasesIn,
  type FolderDatabase,
  type FolderTable,
  fileOf,
  readDomain,
  readTable,
  readViewObject,
  typeText,
  valueText,
} from "./sql-data-folder.js";
import { readViewTree, sourcesOf, type ViewQuery, viewText } from "./view-tree.js";

/** Maximum number of rows and characters in a statement. */
const BATCH_ROWS = 500;
const BATCH_CHARACTERS = 256 * 1024;

/**
 * Imports a folder. Each file is checked completely before any of its rows is sent.
 * @param mayReplace  whether to drop databases that already exist
 * @throws Error  a file or row is invalid (the message says what to do), or a daemon has not accepted everything
 */
export async function importFolder(folder: string, send: SendToAll, mayReplace = false): Promise<void> {
  const databases = await databasesIn(folder);
  const existing = new Set(rowsOf(await send(["SQL", "", "asehoy ny tahiry"])).map(([name]) => name));
  const conflicts = databases.filter(({ name }) => existing.has(name)).map(({ name }) => name);
  if (conflicts.length > 0 && !mayReplace)
    throw new Error(
      `the daemons already have a database ${conflicts.join(", ")}; --replace drops it first, with its tables`,
    );
  let [views, rows] = [0, 0];
  for (const database of databases) {
    if (existing.has(database.name)) await send(["SQL", "", `ravao ny tahiry ${database.name}`]);
    {
      using _ = showProgress(() => `${database.name}: ${rows} rows in all databases`);
      const onRows = (count: number) => {
        rows += count;
      };
      await importDatabase(folder, database, send, onRows).catch((problem: Error) => {
        throw new Error(
          `${problem.message}\nThe import is incomplete. Correct the error, then run it again with --replace.`,
        );
      });
    }
    views += await importViews(folder, database, send);
  }

  const tables = databases.reduce((sum, database) => sum + database.tables.length, 0);
  printLine(`databases: ${databases.length}, tables: ${tables}, views: ${views}, rows: ${rows}`);
}

/** Imports one database. @param onRows  receives the number of rows in each accepted statement */
async function importDatabase(
  folder: string,
  { name, domains, tables }: FolderDatabase,
  send: SendToAll,
  onRows: (count: number) => void,
): Promise<void> {
  const sql = (statement: string) => send(["SQL", name, statement]);
  await send(["SQL", "", `manamboara tahiry ${name}`]);
  for (const domain of domains) {
    const file = fileOf(folder, name, "domains", domain);
    const type = await readDomain(file);
    await namingFile(file, sql(`manamboara efitra ${domain} (${typeText(type)})`));
  }
  for (const table of tables) {
    const file = fileOf(folder, name, "tables", table);
    await namingFile(file, fill(table, await readTable(file), sql, onRows));
  }
}

async function fill(
  table: string,
  { columns, rows }: FolderTable,
  sql: (statement: string) => Promise<ReplyValue>,
  onRows: (count: number) => void,
): Promise<void> {
  const definitions = columns.map(({ name, type }) => `${name} ${typeText(type)}`);
  await sql(`manamboara tabilao ${table} (${definitions.join(", ")})`);

  let batch: string[] = [];
  let characters = 0;
  const flush = async () => {
    if (batch.length > 0) await sql(`manampia ao@ ${table} () sanda ${batch.join()}`);
    onRows(batch.length);
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
    throw new Error(`${rows.length} rows were sent, but the daemons have ${String(count)}`);
}

/** Prefixes an error with the name of the file. */
function namingFile<T>(file: string, work: Promise<T>): Promise<T> {
  return work.catch((problem: Error) => {
    throw new Error(`${file}: ${problem.message}`);
  });
}

function rowsOf(reply: ReplyValue): ReplyValue[][] {
  const { rows } = fieldsOf(reply);
  return Array.isArray(rows) ? (rows as ReplyValue[][]) : [];
}

const UNREADABLE = "the earlier server itself cannot read it, like any view that names a column";

/**
 * Creates the views of a data folder, after its tables. Views that the earlier SQL server itself cannot read are
 * reported instead.
 * @returns the number of created views
 */
async function importViews(
  folder: string,
  { name: database, views }: FolderDatabase,
  send: SendToAll,
): Promise<number> {
  const reportSkipped = (view: string, reason: string) =>
    printNotice(
      `${fileOf(folder, database, "views", view)}: this view was not imported: ${reason}; create it yourself: create view ${view} as select …`,
    );

  const queries = new Map<string, ViewQuery>();
  for (const view of views) {
    try {
      const query = readViewTree(await readViewObject(fileOf(folder, database, "views", view)));
      if (query === null) reportSkipped(view, UNREADABLE);
      else queries.set(view, query);
    } catch (problem) {
      reportSkipped(view, (problem as Error).message);
    }
  }

  let created = 0;
  for (const view of inOrder(queries)) {
    const statement = `manamboara jery ${view} @ ${viewText(queries.get(view) as ViewQuery)}`;
    try {
      await send(["SQL", database, statement]);
      created++;
    } catch (problem) {
      reportSkipped(view, (problem as Error).message);
    }
  }
  return created;
}

/**
 * Returns the views in an order in which each view follows the views that it reads. A view that reads itself cannot be
 * created and may be in any position.
 */
function inOrder(queries: ReadonlyMap<string, ViewQuery>): readonly string[] {
  const ordered = new Set<string>();
  const visited = new Set<string>();
  const visit = (view: string): void => {
    const query = queries.get(view);
    if (query === undefined || visited.has(view)) return;
    visited.add(view);
    for (const source of sourcesOf(query)) visit(source);
    ordered.add(view);
  };
  for (const view of queries.keys()) visit(view);
  return [...ordered];
}
