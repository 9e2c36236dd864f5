/** Sends requests to one server of --json-replica, and checks its answers. */
import type { Logger } from "pino";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { DocumentStore } from "./document-store.js";
import type { MissedDocuments } from "./missed-documents.js";
import { documentRequest, type Forwarded, REQUEST_CHARS_MAX } from "./replica-requests.js";
import { objectOf, type ReplicaServer } from "./replica-server.js";

/** The beginning of the answer to a successful write. */
const SUCCESS_PREFIX = '{"status":"success"';

/** The sender of writes, or of complete documents, to an original. A refused document counts as missed. */
export class ReplicaDelivery {
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
   * Sends requests one after the other.
   * @returns whether the server carried out all of them
   * @throws Error  the connection failed
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
   * Sends the document in its current state.
   * @returns whether the server has all of it
   * @throws Error  the connection failed
   */
  async sendDocument(document: ByteString): Promise<boolean> {
    return await this.send(document, documentRequest(document, this.#store.contentsOf(document)));
  }

  /**
   * Returns whether an answer confirms the write; otherwise logs the refusal.
   * @throws Error  the answer is not a JSON object
   */
  #isConfirmed(document: ByteString, answer: string): boolean {
    this.#server.reportReachable();
    if (answer.startsWith(SUCCESS_PREFIX)) return true;
    this.#missed.refuse(document);
    const message = String(objectOf(answer).get("message") ?? "an answer without a message");
    this.#log.warn(
      { replica: this.#server.name, document: textOfBytes(document), message },
      "a JSON replica refuses a write; the complete document will be sent later",
    );
    return false;
  }
}
