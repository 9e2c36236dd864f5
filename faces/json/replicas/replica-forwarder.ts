/**
 * Forwards writes to one server of --json-replica, in order. If the server does not answer a write within the time
 * limit, later writes do not wait for it until it has been reached again. If the server has missed or refused a write,
 * the complete document is sent again until the server has it. A document that the server has neither sent nor
 * confirmed never replaces one of the server's own documents.
 */
import type { Logger } from "pino";
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { isContainer, JsonNumber, type JsonObject, memberValues } from "../../../protocol/json/json-value.js";
import { phpFormOf, writePhpMembers, writePhpString } from "../../../protocol/json/json-writer.js";
import type { DocumentStore } from "./document-store.js";
import { documentRequest, type Forwarded, REQUEST_CHARS_MAX } from "./replica-requests.js";
import { isSilence, objectOf, type ReplicaConnection, type ReplicaServer } from "./replica-server.js";

/** The interval between two attempts to connect, in milliseconds. */
const RETRY_MS = 1_000;

/** A write of a JSON client that is being sent to the servers of --json-replica. */
export interface ForwardedWrite {
  readonly document: ByteString;
  /** Whether the write drops the document. */
  readonly isDrop: boolean;
  /** Returns the equivalent request for the original, with the current document. */
  requestsForOriginal(): Forwarded;
}

/** Called when the server's documents differ although it missed no write to them. */
export type DifferenceHandler = (forwarder: ReplicaForwarder, documents: readonly ByteString[]) => void;

/** The steps that run one after the other, in the order of the calls. */
class SerialWork {
  /** Resolves when all earlier steps are done. */
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Whether no step is running or waiting. */
  get isIdle(): boolean {
    return this.#waiting === 0;
  }

  /** Runs a step after the earlier ones. @param step  must not reject @returns the result of the step */
  async run<A>(step: () => Promise<A>): Promise<A> {
    this.#waiting++;
    const done = this.#last.then(step);
    this.#last = done;
    const result = await done;
    this.#waiting--;
    return result;
  }
}

export class ReplicaForwarder {
  readonly server: ReplicaServer;
  /** The documents that may be incomplete on the server. */
  readonly missed: MissedDocuments;
  readonly #store: DocumentStore;
  readonly #log: Logger;
  readonly #onDiffers: DifferenceHandler;
  readonly #delivery: ReplicaDelivery;
  /** The documents that the server should have, because it sent them or confirmed writes to them. */
  readonly #known = new Set<ByteString>();
  /** The documents reported as different, until the server accepts them. */
  readonly #reported = new Set<ByteString>();
  readonly #work = new SerialWork();
  #count = 0;
  /**
   * For each document that was sent completely, the number of the last write that it included, and whether the server
   * accepted the document.
   */
  readonly #completed = new Map<ByteString, { readonly upTo: number; readonly isAccepted: boolean }>();
  #retry: NodeJS.Timeout | null = null;
  /** Whether the server did not answer in time. Writes do not wait for it until it has been reached again. */
  #isSilent = false;
  #isStopped = false;

  constructor(server: ReplicaServer, store: DocumentStore, log: Logger, onDiffers: DifferenceHandler) {
    this.server = server;
    this.#store = store;
    this.#log = log;
    this.#onDiffers = onDiffers;
    this.missed = new MissedDocuments(this.refresh);
    this.#delivery = new ReplicaDelivery(server, this.missed, store, log);
    server.onClosed = this.#retryClosed;
  }

  /**
   * Starts sending writes, because the server has sent its documents. @param documents  the documents that the server
   * is known to have
   */
  documentsReceived(documents: readonly ByteString[]): void {
    this.server.hasSentDocuments = true;
    for (const document of documents) this.#known.add(document);
    this.refresh();
  }

  /** Sends a write. @returns whether the server has confirmed it */
  async forward(write: ForwardedWrite): Promise<boolean> {
    if (this.server.isSelf) return false;
    const isConfirmed = await this.#forwardInOrder(write);
    if (isConfirmed && !write.isDrop) this.#known.add(write.document);
    else if (isConfirmed) this.#known.delete(write.document);
    return isConfirmed;
  }

  /** Sends one request that changes nothing. @throws Error  the connection failed */
  async request(request: string): Promise<JsonObject> {
    return objectOf(await (await this.#connected()).request(request));
  }

  /** Connects to the server. @returns whether it is an original */
  async connect(): Promise<boolean> {
    return await this.#serially(async () => {
      try {
        await this.#connected();
        return true;
      } catch (problem) {
        this.#connectionLost(problem, this.server.connection);
        return false;
      }
    });
  }

  /** Sends the server the documents in which it missed writes; no caller waits for this. */
  readonly refresh = (): void => {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    if (this.#isStopped || this.server.isSelf) return;
    void this.#serially(this.#catchUp);
  };

  stop(): void {
    this.#isStopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.missed.retry();
    this.server.connection?.destroy();
  }

  async #forwardInOrder(write: ForwardedWrite): Promise<boolean> {
    const number = ++this.#count;
    if (this.#isSilent) {
      this.missed.add(write.document);
      return false;
    }
    const isNeeded = !this.missed.hasPending && !this.missed.has(write.document);
    const requestsForOriginal = isNeeded ? write.requestsForOriginal() : null;
    return await this.#serially(() => this.#forward(write.document, requestsForOriginal, number));
  }

  async #serially<A>(step: () => Promise<A>): Promise<A> {
    const result = await this.#work.run(step);
    if (this.#work.isIdle) this.#completed.clear();
    return result;
  }

  /** Sends a write when its turn comes. @param requestsForOriginal  the requests, or null to send the document */
  async #forward(
    document: ByteString,
    requestsForOriginal: Forwarded | null,
    number: number,
  ): Promise<boolean> {
    const completed = this.#completed.get(document);
    if (completed !== undefined && number <= completed.upTo) return completed.isAccepted;
    if (this.#isStopped || this.#isSilent) {
      this.missed.add(document);
      return false;
    }

    try {
      await this.#ready();
      const isComplete =
        requestsForOriginal === null || this.missed.hasPending || this.missed.isRefused(document);
      if (
        this.server.acceptsWrites &&
        !isComplete &&
        (!requestsForOriginal.dropsFirst || this.#known.has(document))
      )
        return await this.#delivery.send(document, requestsForOriginal);

      this.missed.add(document);
      if (this.missed.hasPending) await this.#sendMissed();
      return !this.missed.has(document);
    } catch (problem) {
      this.#connectionLost(problem, this.server.connection);
      this.missed.add(document);
      return false;
    }
  }

  /** Sends documents in their current state, which includes all earlier writes. */
  async #sendMissed(): Promise<void> {
    const [store, log] = [this.#store, this.#log];
    for (const document of this.missed.pending) {
      if (!this.server.acceptsWrites) return this.#retrySoon();
      if (await this.#isForeign(document)) {
        this.missed.refuse(document);
        if (!this.#reported.has(document)) this.#differs([document]);
        continue;
      }

      this.#reported.delete(document);
      const upTo = this.#count;
      const isAccepted = await this.#delivery.sendDocument(document);
      this.#completed.set(document, { upTo, isAccepted });
      if (!isAccepted) continue;

      this.missed.settle(document);
      if (store.has(document)) this.#known.add(document);
      else this.#known.delete(document);
    }

    if (this.missed.size === 0)
      log.info({ replica: this.server.name }, "a JSON replica has all documents again");
  }

  /**
   * Returns whether the server has a document with this name but other contents, which this daemon never received.
   * @throws Error  the connection failed
   */
  async #isForeign(document: ByteString): Promise<boolean> {
    if (this.#known.has(document)) return false;
    const { different } = await findDifferences(await this.server.connected(), this.#store, [document]);
    return different.length > 0;
  }

  /** Reports documents whose contents differ on the server. Later retries do not report them again. */
  #differs(documents: readonly ByteString[]): void {
    for (const document of documents) this.#reported.add(document);
    this.#onDiffers(this, documents);
  }

  /** Connects to the server, and compares its documents once. @throws Error  the connection failed */
  async #ready(): Promise<void> {
    const connection = await this.#connected();
    if (this.server.isCompared || !this.server.acceptsWrites) return;
    const { absent, different } = await findDifferences(connection, this.#store, this.#known);
    for (const document of absent) this.missed.add(document);
    const unexplained = different.filter((document) => !this.missed.has(document));
    if (unexplained.length > 0) this.#differs(unexplained);
    this.server.isCompared = true;
  }

  async #connected(): Promise<ReplicaConnection> {
    const connection = await this.server.connected();
    this.#isSilent = false;
    return connection;
  }

  /** Reconnects after the server has closed an idle connection. */
  readonly #retryClosed = (): void => {
    if (this.#isStopped) return;
    this.missed.retry();
    this.#retrySoon();
  };

  /** Handles a lost connection. @param connection  the lost connection, or null if there was none */
  #connectionLost(problem: unknown, connection: ReplicaConnection | null): void {
    // Each unanswered request reports the loss of the connection, but the loss is handled only once.
    if (this.server.isSelf || this.server.connection !== connection) return;
    this.server.reportUnreachable(problem);
    this.missed.retry();
    this.server.disconnect();
    this.#isSilent = isSilence(problem);
    this.#retrySoon();
  }

  #retrySoon(): void {
    if (!this.#isStopped) this.#retry ??= setTimeout(this.refresh, RETRY_MS).unref();
  }

  readonly #catchUp = async (): Promise<void> => {
    if (this.#isStopped) return;
    try {
      await this.#ready();
      if (this.server.acceptsWrites && this.missed.hasPending) await this.#sendMissed();
    } catch (problem) {
      this.#connectionLost(problem, this.server.connection);
    }
  };
}

/** The request for the names of all documents. */
const LIST = '{"action":"list"}';

interface Differences {
  /** The documents that the server does not have. */
  readonly absent: readonly ByteString[];
  /** The documents with different contents. */
  readonly different: readonly ByteString[];
}

/**
 * Compares the documents of a server with the documents of this daemon, to find documents that the server has lost or
 * that other clients of the server have changed.
 * @param documents  the documents that the server should have
 * @throws Error  the connection failed
 */
async function findDifferences(
  connection: ReplicaConnection,
  store: DocumentStore,
  documents: Iterable<ByteString>,
): Promise<Differences> {
  const expected = [...documents];
  if (expected.length === 0) return { absent: [], different: [] };

  const listed = objectOf(await connection.request(LIST)).get("documents");
  if (!isContainer(listed)) return { absent: [], different: [] };

  const present = new Set(
    memberValues(listed).map((name) => (name instanceof JsonNumber ? name.text : bytesOfText(String(name)))),
  );
  const absent: ByteString[] = [];
  const different: ByteString[] = [];
  for (const name of expected) {
    if (!present.has(name)) absent.push(name);
    else if (!(await isSame(connection, store, name))) different.push(name);
  }

  return { absent, different };
}

async function isSame(connection: ReplicaConnection, store: DocumentStore, name: ByteString) {
  const request = `{"action":"get","document":${writePhpString(textOfBytes(name))}}`;
  const entries = store.contentsOf(name) ?? [];
  const keys = entries.map(({ key }) => textOfBytes(key));
  const texts = entries.map(({ text }) => phpFormOf(text));
  const shown = `{"status":"success","data":${writePhpMembers(keys, texts)}}`;
  return (await connection.request(request)).trim() === shown;
}

/** The beginning of the answer to a successful write. */
const DONE = '{"status":"success"';

/** The sender of writes, or of complete documents, to an original. A refused document counts as missed. */
class ReplicaDelivery {
  readonly #server: ReplicaServer;
  readonly #missed: MissedDocuments;
  readonly #store: DocumentStore;
  readonly #log: Logger;

  constructor(server: ReplicaServer, missed: MissedDocuments, store: DocumentStore, log: Logger) {
    this.#server = server;
    this.#missed = missed;
    this.#store = store;
    this.#log = log;
  }

  /**
   * Sends requests one after the other. @returns whether the server carried out all of them @throws Error  the
   * connection failed
   */
  async send(document: ByteString, { requests, dropsFirst }: Forwarded): Promise<boolean> {
    let areConfirmed = requests.length > 0;
    for (const [index, request] of requests.entries()) {
      const connection = await this.#server.connected();
      const answer = await connection.request(request);
      if ((dropsFirst && index === 0) || this.#isConfirmed(document, answer)) continue;
      areConfirmed = false;
      // The original treats a request that needs several reads as several requests, so more answers may follow.
      if (request.length > REQUEST_CHARS_MAX) this.#server.disconnect();
    }
    return areConfirmed;
  }

  /**
   * Sends the document in its current state. @returns whether the server has all of it @throws Error  the connection
   * failed
   */
  async sendDocument(document: ByteString): Promise<boolean> {
    return await this.send(document, documentRequest(document, this.#store.contentsOf(document)));
  }

  /**
   * Returns whether an answer confirms the write; otherwise logs the refusal. @throws Error  the answer is not a JSON
   * object
   */
  #isConfirmed(document: ByteString, answer: string): boolean {
    this.#server.reportReachable();
    if (answer.startsWith(DONE)) return true;
    this.#missed.refuse(document);
    const message = String(objectOf(answer).get("message") ?? "an answer without a message");
    this.#log.warn(
      { replica: this.#server.name, document: textOfBytes(document), message },
      "a JSON replica refuses a write; the complete document will be sent later",
    );
    return false;
  }
}

/** Milliseconds before a refused document is sent again; the delay doubles each time. */
const REFUSED_MS = 5_000;
const REFUSED_MAX_MS = 60_000;

/**
 * The documents that may be incomplete on a server. A document that the server refuses is not sent again with each
 * write, but after a delay.
 */
class MissedDocuments {
  readonly #all = new Set<ByteString>();
  readonly #refused = new Set<ByteString>();
  /** Called when refused documents should be sent again. */
  readonly #again: () => void;
  #timer: NodeJS.Timeout | null = null;
  #refusedMs = REFUSED_MS;

  constructor(again: () => void) {
    this.#again = again;
  }

  get size(): number {
    return this.#all.size;
  }

  /** The number of documents that the server refuses for now. */
  get refusedSize(): number {
    return this.#refused.size;
  }

  /** Whether documents must be sent before any other write. */
  get hasPending(): boolean {
    return this.#all.size > this.#refused.size;
  }

  /** The documents to send now. */
  get pending(): ByteString[] {
    return [...this.#all].filter((document) => !this.#refused.has(document));
  }

  has(document: ByteString): boolean {
    return this.#all.has(document);
  }

  isRefused(document: ByteString): boolean {
    return this.#refused.has(document);
  }

  add(document: ByteString): void {
    this.#all.add(document);
  }

  refuse(document: ByteString): void {
    this.#all.add(document);
    this.#refused.add(document);
    this.#timer ??= setTimeout(() => {
      this.#refusedMs = Math.min(2 * this.#refusedMs, REFUSED_MAX_MS);
      this.retry();
      this.#again();
    }, this.#refusedMs).unref();
  }

  /** Removes a document, because the server has all of it. */
  settle(document: ByteString): void {
    this.#all.delete(document);
    if (this.#all.size === 0) this.#refusedMs = REFUSED_MS;
  }

  /** Allows refused documents to be sent again, because time has passed or the server has been replaced. */
  retry(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#refused.clear();
  }
}
