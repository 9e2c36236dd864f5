/** Copies the documents of a running JSON server to all daemons. */
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { printLine } from "../shared/output.js";
import { showProgress } from "../shared/progress.js";
import type { SendToAll } from "../shared/send-to-all.js";
import { DocumentWriter } from "./document-writer.js";
import { documentsOf } from "./imported-documents.js";
import { JsonServerClient } from "./json-server-client.js";

/**
 * Silence after which the import gives up on a server, in milliseconds. The time is long because the original JSON
 * server composes its complete answer before it sends anything.
 */
const SILENCE_MS = 120_000;

/**
 * Copies all documents and prints their number.
 * @param replace  whether to drop documents that the daemons already have
 * @throws Error  no connection; a document already exists; a daemon has not accepted everything
 */
export async function copyFromJsonServer(
  source: ServerAddress,
  send: SendToAll,
  replace = false,
): Promise<void> {
  const existing = new Set(textsOf(await send(["DOC.LIST"])));
  using server = await JsonServerClient.open(source, SILENCE_MS).catch((problem: Error) => {
    throw new Error(`${source.host}:${source.port}: ${problem.message}`);
  });
  const started = performance.now();
  const writer = new DocumentWriter(send);
  let documents = 0;
  try {
    using _ = showProgress(() => `${writer.entries} entries`);
    for await (const { name, indexes, each } of documentsOf(server)) {
      if (existing.has(name)) await dropExisting(send, name, replace);
      await writer.begin(name);
      await each((entry) => writer.add(entry));
      await writer.end();
      for (const field of indexes) await send(["DOC.INDEX", "CREATE", name, field]);
      documents++;
    }
  } catch (problem) {
    throw new Error(
      `${messageOf(problem)}\nThe import is incomplete. Imported completely: ${counted(documents, "document")}.`,
    );
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  printLine(
    `${counted(documents, "document")} with ${counted(writer.entries, "entry", "entries")} in ${seconds} s`,
  );
}

/** @throws Error  a document exists, and --replace is missing */
async function dropExisting(send: SendToAll, name: string, replace: boolean): Promise<void> {
  if (!replace) {
    throw new Error(`the daemons already have a document ${JSON.stringify(name)}; --replace drops it first`);
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
