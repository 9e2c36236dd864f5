/** Copies the documents of a running JSON server to all daemons. */
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { printLine } from "../shared/output.js";
import { elapsedText, showProgress } from "../shared/progress.js";
import type { SendToAll } from "../shared/requests.js";
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

/** The writer of documents to all daemons, with many entries per command and several commands in flight. */
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

interface SourceEntry {
  readonly key: string;
  /** The value as the server writes it. */
  readonly json: string;
  /** The expiry time in milliseconds since 1970, or null if the entry does not expire. */
  readonly expires: number | null;
}

interface SourceDocument {
  readonly name: string;
  /** Names of the indexed members. */
  readonly indexes: readonly string[];
  /** Passes each entry to `take`; must be called before the next document is requested. */
  readonly each: (take: TakeEntry) => Promise<void>;
}

/** Expiry dates by key, in milliseconds since 1970; entries that do not expire are absent. */
type Expiries = ReadonlyMap<string, number>;

const NEVER: Expiries = new Map();
const SEARCHED_CHARS_MAX = 32;
type TakeEntry = (entry: SourceEntry) => Promise<void>;

/**
 * The message with which a dbsyncd rejects `listindexes` without a document. The original server does not know this
 * action and answers with a different message.
 */
const DAEMON = "No document provided.";

/**
 * Yields the documents of a server. The original JSON server sends all documents in one answer. A dbsyncd sends one
 * document at a time, with expiry times and indexes, which the original server does not have.
 * @throws Error  the connection failed, or the server rejects a request
 */
async function* documentsOf(server: JsonServerClient): AsyncGenerator<SourceDocument, void, undefined> {
  let probe = "";
  for await (const piece of server.pieces({ action: "listindexes" })) probe += piece;
  if (probe.includes(DAEMON)) yield* oneByOne(server);
  else yield* allInOne(server);
}

async function* allInOne(server: JsonServerClient): AsyncGenerator<SourceDocument, void, undefined> {
  const answer = answerTo(server, { action: "getall", replicate: false });
  for await (const _ of membersCalled(answer, "documents", "getall"))
    for await (const name of answer.members())
      yield { name, indexes: [], each: (take) => eachIn(answer, NEVER, take) };
}

async function* oneByOne(server: JsonServerClient): AsyncGenerator<SourceDocument, void, undefined> {
  const names: string[] = [];
  const list = answerTo(server, { action: "list" });
  for await (const _ of membersCalled(list, "documents", "list"))
    for await (const _ of list.members()) names.push(nameOf(await list.value()));
  for (const name of names) {
    const { indexes, message } = await server.query({ action: "listindexes", document: name });
    if (message !== undefined) throw refused(JSON.stringify(message));
    const fields = Array.isArray(indexes) ? indexes.map(String) : [];
    yield { name, indexes: fields, each: (take) => eachOf(server, name, take) };
  }
}

async function eachOf(server: JsonServerClient, document: string, take: TakeEntry): Promise<void> {
  const expiries = await expiriesOf(server, document);
  const answer = answerTo(server, { action: "get", document });
  for await (const _ of membersCalled(answer, "data")) await eachIn(answer, expiries, take);
}

async function expiriesOf(server: JsonServerClient, document: string): Promise<Expiries> {
  const expiries = new Map<string, number>();
  const request = { action: "get", document, fields: [], details: true };

  // Most documents have no expiry times. Searching the text first avoids parsing the details, which contain an object
  // for each entry.
  if (!(await contains(server.pieces(request), /"expires":\d/))) return expiries;
  const answer = answerTo(server, request);
  for await (const member of membersCalled(answer, /^(data|details)$/)) {
    for await (const key of answer.members()) {
      const value = await answer.value();
      if (member !== "details") continue;
      const { expires } = JSON.parse(value) as { readonly expires: number | null };
      if (expires !== null) expiries.set(key, expires);
    }
  }
  return expiries;
}

/** Whether a text that arrives in pieces contains a match of at most SEARCHED_CHARS_MAX characters. */
async function contains(pieces: AsyncGenerator<string, void, undefined>, pattern: RegExp): Promise<boolean> {
  let isFound = false;
  let end = "";
  for await (const piece of pieces) {
    isFound ||= pattern.test(end + piece);
    end = (end + piece).slice(-SEARCHED_CHARS_MAX);
  }
  return isFound;
}

async function eachIn(answer: JsonPieces, expiries: Expiries, take: TakeEntry): Promise<void> {
  for await (const key of answer.members())
    await take({ key, json: await answer.value(), expires: expiries.get(key) ?? null });
}

const answerTo = (server: JsonServerClient, request: object) => new JsonPieces(server.pieces(request));

/**
 * Yields the names of the answer's members that match `called`; the caller reads their values.
 * @param action  the action whose answer must have such a member, or undefined if the member may be absent
 * @throws Error  the answer is an error, or the member is missing
 */
async function* membersCalled(
  answer: JsonPieces,
  called: string | RegExp,
  action?: string,
): AsyncGenerator<string, void, undefined> {
  let isFound = action === undefined;
  for await (const member of answer.members()) {
    if (member === called || (called instanceof RegExp && called.test(member))) {
      isFound = true;
      yield member;
    } else if (member === "message") throw refused(await answer.value());
    else await answer.value();
  }
  if (!isFound)
    throw new Error(
      `the server's answer to ${action} contains no documents. Is it a different kind of server?`,
    );
}

const refused = (message: string) => new Error(`the server rejects the request: ${message}`);

/** Returns a document's name; the server writes names that look like integers as integers. */
const nameOf = (json: string): string => (json.startsWith('"') ? (JSON.parse(json) as string) : json);

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/**
 * The reader of a JSON text that arrives in pieces and may be too long for memory. It finds brackets, names and commas,
 * and returns values as they are written.
 */
class JsonPieces {
  readonly #pieces: AsyncIterator<string, void, undefined>;
  #text = "";
  #at = 0;

  constructor(pieces: AsyncIterator<string, void, undefined>) {
    this.#pieces = pieces;
  }

  /** Returns the next character that is not white space. @throws Error  the text ends before it */
  async peek(): Promise<string> {
    for (;;) {
      while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) <= 0x20) this.#at++;
      if (this.#at < this.#text.length) return this.#text[this.#at]!;
      await this.#more();
    }
  }

  /** Consumes the expected character. @throws Error  the next character is a different one */
  async take(expected: string): Promise<void> {
    const found = await this.peek();
    if (found !== expected) throw new Error(`unexpected JSON: ${found} instead of ${expected}`);
    this.#at++;
  }

  /** Consumes and returns the name of a member, and consumes its colon. */
  async name(): Promise<string> {
    await this.peek();
    const name: unknown = JSON.parse(await this.value());
    if (typeof name !== "string") throw new Error("unexpected JSON: a member without a name");
    await this.take(":");
    return name;
  }

  /**
   * Yields the names of the object's members, or the indexes of the list's elements. The caller must read each value
   * before it requests the next name.
   */
  async *members(): AsyncGenerator<string, void, undefined> {
    const isList = (await this.peek()) === "[";
    await this.take(isList ? "[" : "{");
    const end = isList ? "]" : "}";
    for (let index = 0; (await this.peek()) !== end; index++) {
      if (index > 0) await this.take(",");
      yield isList ? String(index) : await this.name();
    }
    await this.take(end);
  }

  /** Returns a complete value as it is written. */
  async value(): Promise<string> {
    await this.peek();
    let depth = 0;
    let inString = false;
    for (let length = 0; ; length++) {
      while (this.#at + length >= this.#text.length) await this.#more();
      const code = this.#text.charCodeAt(this.#at + length);
      if (inString) {
        if (code === BACKSLASH) length++;
        else if (code === QUOTE) inString = false;
        if (inString || depth > 0) continue;
        return this.#consume(length + 1);
      }
      if (code === QUOTE) inString = true;
      else if (OPENING.has(code)) depth++;
      else if (CLOSING.has(code)) {
        if (--depth < 0) return this.#consume(length);
        if (depth === 0) return this.#consume(length + 1);
      } else if (code === COMMA && depth === 0) return this.#consume(length);
    }
  }

  #consume(length: number): string {
    const value = this.#text.slice(this.#at, this.#at + length).trimEnd();
    this.#at += length;
    return value;
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#pieces.next();
    if (done) throw new Error("the JSON ends too early");
    this.#text = this.#text.slice(this.#at) + value;
    this.#at = 0;
  }
}
