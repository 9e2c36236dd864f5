/**
 * `dbsync import`: moves the documents of a running server of JSON documents, or the tables of a data folder of the earlier SQL server, to
 * the daemons, as signed commands.
 */
import type { Command } from "commander";
import type { ReplyValue } from "../../shared/reply-value.js";
import { addClientOptions, type ClientFlags, openFrom, readSettings } from "../shared/client-options.js";
import { exitCodeHelp } from "../shared/exit-codes.js";
import { printLine } from "../shared/output.js";
import type { SendToAll } from "../shared/send-to-all.js";
import { type ServerAddress, trusted } from "../shared/server-url.js";
import { importFolder } from "../sql/import-folder.js";
import { DocumentWriter } from "./document-writer.js";
import { JSON_URL_HELP, JsonServer, readJsonUrl } from "./json-server.js";
import { documentsOf } from "./json-source.js";

/** A server that says nothing for so long is given up: the original makes its whole answer before it sends any. */
const SILENCE_MS = 120_000;
/** For a command of some hundred entries; daemons may be far away. */
const COMMAND_MS = 20_000;
/** Before the folder's path. */
const FOLDER = "sql:";
const PROGRESS_MS = 500;
const CLEAR_LINE = "\r\x1b[K";

interface ImportFlags extends ClientFlags {
  readonly replace?: boolean;
}

export function addImport(program: Command): void {
  const command = program
    .command("import")
    .description(
      "take over the documents of a running server of JSON documents, or tables of an SQL server's folder",
    );
  addClientOptions(command, COMMAND_MS)
    .argument("<from>", `${JSON_URL_HELP}; or sql:DIR, the data folder of the earlier SQL server`, readOrigin)
    .option("--replace", "drop documents, or databases, first that the daemons have already")
    .addHelpText(
      "after",
      `
Asks the server for all its documents and writes them to every daemon of the list, entries under the keys that they have
there; of a dbsyncd, which is asked for one document after the other, with lifetimes and indexes. The server stays as it is. Stop its writers first: what they write meanwhile is not taken over.

Of a folder (dataDirectory of config.json) each database is made with its domains, tables and views. Views that the earlier server cannot
read back itself are named, and have to be made anew. The other way: dbsync export.

Examples:
  dbsync import json://10.0.0.1:8888 -k private.pem
  dbsync import json://10.0.0.1:8888 -s 10.0.0.5,10.0.0.6 -k private.pem --replace
  dbsync import sql:/var/lib/dirk/data -k private.pem
  dbsync import 'jsons://10.0.0.1:8888#sha256:81f0a63c…' -k private.pem
${exitCodeHelp("no connection, a document is there already, or a daemon has not taken everything")}`,
    )
    .action(importFrom);
}

/** @throws InvalidArgumentError */
function readOrigin(text: string): ServerAddress | string {
  return text.startsWith(FOLDER) ? text.slice(FOLDER.length) : readJsonUrl(text);
}

async function importFrom(origin: ServerAddress | string, flags: ImportFlags): Promise<void> {
  const { client } = openFrom(readSettings({ timeout: COMMAND_MS, ...flags }));
  const send: SendToAll = (command) => client.call(command, { policy: "all" });
  if (typeof origin === "string") await importFolder(origin, send, flags.replace);
  else await importDocuments(origin, send, flags);
}

async function importDocuments(address: ServerAddress, send: SendToAll, flags: ImportFlags): Promise<void> {
  const source = trusted(address, flags.ca);
  const there = new Set(textsOf(await send(["DOC.LIST"])));
  using server = await JsonServer.open(source, SILENCE_MS).catch((problem: Error) => {
    throw new Error(`${address.host}:${address.port}: ${problem.message}`);
  });
  const started = performance.now();
  const writer = new DocumentWriter(send);
  const isShown = process.stderr.isTTY;
  const show = () => void process.stderr.write(`${CLEAR_LINE}${writer.entries} entries`);
  const timer = isShown ? setInterval(show, PROGRESS_MS) : undefined;
  let documents = 0;
  try {
    for await (const { name, indexes, each } of documentsOf(server)) {
      if (there.has(name)) await makeRoom(send, name, flags.replace);
      await writer.begin(name);
      await each((entry) => writer.add(entry));
      await writer.end();
      for (const field of indexes) await send(["DOC.INDEX", "CREATE", name, field]);
      documents++;
    }
  } catch (problem) {
    throw new Error(
      `${messageOf(problem)}\nNot everything was taken over; complete: ${counted(documents, "document")}.`,
    );
  } finally {
    clearInterval(timer);
    if (isShown) process.stderr.write(CLEAR_LINE);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  printLine(
    `${counted(documents, "document")} with ${counted(writer.entries, "entry", "entries")} in ${seconds} s`,
  );
}

/** @throws Error  a document is there, and nobody said that it may go */
async function makeRoom(send: SendToAll, name: string, replace = false): Promise<void> {
  if (!replace) {
    throw new Error(`the daemons have a document ${JSON.stringify(name)} already; --replace drops it first`);
  }
  await send(["DOC.DROP", name]);
}

const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

function messageOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

function textsOf(reply: ReplyValue): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}
