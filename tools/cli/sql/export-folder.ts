/** `dbsync export sql:DIR`: writes the databases of the daemons as a data folder of the earlier SQL server. */
import { mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { unwritable } from "../../../keys/write-failures.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { TypedRequests } from "../shared/export-requests.js";
import { printLine } from "../shared/output.js";
import { exportTable } from "./export-table.js";
import { domainType, typeTree } from "./folder-type.js";
import { type JacksonValue, jacksonText } from "./jackson-text.js";
import { fileOf, isFolderName } from "./sql-data-folder.js";
import { cellsOf, textOf } from "./typed-rows.js";
import { viewTree } from "./view-tree.js";

/** The infix in the name of a folder that is not complete yet. */
const UNFINISHED = ".unfinished-";

/** Receives a note about data that is missing from the folder or differs from the daemons' data. */
export type NoteHandler = (note: string) => void;

/**
 * Writes the folder. If that fails, the folder does not exist.
 * @throws Error  the folder is not empty; a daemon did not answer; a table changes too often
 */
export async function exportFolder(path: string, requests: TypedRequests, note: NoteHandler): Promise<void> {
  const folder = resolve(path);
  await checkFree(folder);
  let made = "";
  try {
    await mkdir(dirname(folder), { recursive: true });
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
      await mkdir(join(folder, database, kind), { recursive: true });
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
  await using handle = await open(file, "wx");
  await handle.writeFile(jacksonText(value));
  await handle.sync();
}
