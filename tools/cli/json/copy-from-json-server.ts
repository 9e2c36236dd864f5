/** Copies the documents of a running JSON server to all daemons. */
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { printLine } from "../shared/output.js";
import { elapsedText, showProgress } from "../shared/progress.js";
import type { SendToAll } from "../shared/send-to-all.js";
import { documentsOf, type SourceEntry } from "./imported-documents.js";
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
  printLine(
    `${counted(documents, "document")} with ${counted(writer.entries, "entry", "entries")} in ${elapsedText(started)}`,
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

const BATCH_ENTRIES_MAX = 500;
const BATCH_CHARACTERS_MAX = 256 * 1024;
const COMMANDS_IN_FLIGHT_MAX = 8;

/** Writes documents to all daemons, with many entries per command and several commands in flight. */
class DocumentWriter {
  readonly #send: SendToAll;
  /** Commands in flight, the oldest first. */
  readonly #sent: Promise<ReplyValue>[] = [];
  #document = "";
  #batch: string[] = [];
  #characters = 0;
  /** The time at which all entries of the batch expire, in milliseconds since 1970, or null if they do not expire. */
  #expires: number | null = null;
  /** Number of entries added to the current document. */
  #documentEntries = 0;
  /** Number of these entries that may expire. */
  #expiringEntries = 0;
  #entries = 0;

  constructor(send: SendToAll) {
    this.#send = send;
  }

  /** Number of entries added so far, in all documents. */
  get entries(): number {
    return this.#entries;
  }

  /** Creates a document, to which the following entries belong. */
  async begin(document: string): Promise<void> {
    this.#document = document;
    this.#documentEntries = this.#expiringEntries = 0;
    await this.#send(["DOC.CREATE", document]);
  }

  async add({ key, json, expires }: SourceEntry): Promise<void> {
    if (expires !== this.#expires) await this.#flush();
    this.#expires = expires;
    this.#batch.push(key, json);
    this.#characters += key.length + json.length;
    this.#documentEntries++;
    if (expires !== null) this.#expiringEntries++;
    this.#entries++;
    const isFull = this.#batch.length >= 2 * BATCH_ENTRIES_MAX || this.#characters >= BATCH_CHARACTERS_MAX;
    if (isFull) await this.#flush();
  }

  /**
   * Sends the remaining entries and checks their number.
   * @throws Error  the daemons have a different number of entries
   */
  async end(): Promise<void> {
    await this.#flush();
    await Promise.all(this.#sent.splice(0));
    const count = await this.#send(["DOC.COUNT", this.#document]);
    const missing = this.#documentEntries - Number(count);
    if (missing >= 0 && missing <= this.#expiringEntries) return;
    throw new Error(
      `${this.#document}: ${this.#documentEntries} entries were sent, but the daemons have ${String(count)}`,
    );
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    if (this.#sent.length >= COMMANDS_IN_FLIGHT_MAX) await this.#sent.shift();
    // NOCHECK, because the original JSON server accepts later entries that do not have all members of the first entry.
    const lifetime = this.#expires === null ? [] : ["PXAT", String(this.#expires)];
    const sending = this.#send([
      ...["DOC.INSERT", this.#document, ...lifetime, "NOCHECK", "KEYS"],
      ...this.#batch,
    ]);
    // `#flush` or `end` awaits this promise later; until then a rejection must not count as unhandled.
    sending.catch(() => {});
    this.#sent.push(sending);
    this.#batch = [];
    this.#characters = 0;
  }
}
