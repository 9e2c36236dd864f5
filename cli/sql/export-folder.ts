/** `dbsync export sql:DIR`: databases of the daemons, written as the earlier SQL server's data folder. */
import { mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { unwritable } from "../../keys/unwritable.js";
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { printLine } from "../shared/output.js";
import type { TypedAsking } from "../shared/typed-asking.js";
import { fileOf, isFolderName } from "./data-folder.js";
import { exportTable } from "./export-table.js";
import { domainType, typeTree } from "./folder-type.js";
import { type JacksonValue, jacksonText } from "./jackson-text.js";
import { cellsOf, textOf } from "./typed-rows.js";
import { viewTree } from "./view-tree.js";

/** The prefix of a folder that is not complete. */
const UNFINISHED = ".unfinished-";

/** Receives notes about what is not in the folder, or different from the daemons' data. */
export type Tell = (note: string) => void;

/**
 * The folder is complete, or it does not exist.
 * @throws Error  the folder is not empty; a daemon did not answer; a table is changed again and again
 */
export async function exportFolder(given: string, asking: TypedAsking, tell: Tell): Promise<void> {
  const folder = resolve(given);
  await checkFree(folder);
  let made = "";
  try {
    await mkdir(dirname(folder), { recursive: true });
    made = await mkdtemp(folder + UNFINISHED);
    const sums = await exportDatabases(made, asking, tell);
    await rename(made, folder).catch((problem: Error) => {
      throw new Error(`${folder}: ${problem.message}; name a folder that is not there yet`);
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
    throw new Error(`${folder}: ${problem.message}; name a folder that is not there yet`);
  });
  if (entries.length > 0) throw new Error(`${folder} is not empty; name a folder that is not there yet`);
}

interface Sums {
  databases: number;
  tables: number;
  views: number;
  rows: number;
}

async function exportDatabases(folder: string, asking: TypedAsking, tell: Tell): Promise<Sums> {
  const sums: Sums = { databases: 0, tables: 0, views: 0, rows: 0 };
  for (const database of await namesIn(asking, "", "asehoy ny tahiry", tell)) {
    for (const kind of ["tables", "views", "domains"])
      await mkdir(join(folder, database, kind), { recursive: true });
    sums.views += await exportKept(folder, database, asking, tell);
    for (const table of await namesIn(asking, database, "asehoy ny tabilao", tell)) {
      const rows = await exportTable(fileOf(folder, database, "tables", table), {
        database,
        table,
        asking,
        tell,
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
  asking: TypedAsking,
  database: string,
  statement: string,
  tell: Tell,
): Promise<string[]> {
  const names = cellsOf(await asking.ask(["SQL", database, statement])).map(([name]) => textOf(name));
  return names.filter((name) => {
    const isKnown = isFolderName(name);
    if (!isKnown)
      tell(`${JSON.stringify(name)}: no name of letters, digits and _, so it is not in the folder`);
    return isKnown;
  });
}

/** Domains and views. @returns how many views */
async function exportKept(
  folder: string,
  database: string,
  asking: TypedAsking,
  tell: Tell,
): Promise<number> {
  const { readView } = await import("./parsed-statements.js");
  let views = 0;
  for (const [field, text] of pairsOf(await asking.ask(["HGETALL", `sql:${database}`]))) {
    const [kind, name = ""] = field.split(" ", 2);
    if ((kind !== "domain" && kind !== "view") || !isFolderName(name)) continue;
    if (kind === "domain") await write(fileOf(folder, database, "domains", name), typeTree(domainType(text)));
    else {
      const query = readView(text);
      if (query === null) {
        tell(
          `view ${name} of ${database} is not in the folder, as the earlier server could not read it back: create view ${name} as ${text}`,
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
