/** What a server of --json-replica is sent, write by write or a document as a whole, and whether it has taken it: what it refuses it misses. */
import type { Logger } from "pino";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { DocumentStore } from "./document-store.js";
import type { Claim } from "./fleet.js";
import { claimIn, puts, WRITE_CHARS_MAX } from "./fleet-messages.js";
import type { ForwardedWrite } from "./forwarded-write.js";
import type { MissedDocuments } from "./missed-documents.js";
import { objectOf } from "./replica-connection.js";
import type { ReplicaContact } from "./replica-contact.js";
import { type Forwarded, REQUEST_CHARS_MAX, wholeDocument } from "./replica-requests.js";

/** What a server says to what it has done. */
const DONE = '{"status":"success"';

export interface DeliveryHost {
  readonly store: DocumentStore;
  readonly log: Logger;
  /** Another daemon says who leads. */
  learn(claim: Claim): void;
}

export class ReplicaDelivery {
  readonly #contact: ReplicaContact;
  readonly #missed: MissedDocuments;
  readonly #host: DeliveryHost;

  constructor(contact: ReplicaContact, missed: MissedDocuments, host: DeliveryHost) {
    this.#contact = contact;
    this.#missed = missed;
    this.#host = host;
  }

  /** Of such a write the document is given. */
  isLong(write: ForwardedWrite): boolean {
    return this.#contact.isDaemon && write.told(this.#contact.leader).length > WRITE_CHARS_MAX;
  }

  /** A follower has the write with the document, or is to get it so: its place in the order goes on. */
  note(write: ForwardedWrite): void {
    if (this.#contact.kind === "follower") this.#contact.connection?.ask(write.noted()).catch(() => {});
  }

  /** One after the other: an original takes all that it reads at once for one request. @returns whether it took all of it @throws Error  the connection */
  async send(document: ByteString, { requests, dropsFirst }: Forwarded): Promise<boolean> {
    let areTaken = requests.length > 0;
    for (const [place, request] of requests.entries()) {
      const connection = await this.#contact.connected();
      const answer = await connection.ask(request);
      if ((dropsFirst && place === 0) || this.isTaken(document, answer)) continue;
      areTaken = false;
      // One that needs more than one of its reads is several requests to it: an answer to each may still come.
      if (request.length > REQUEST_CHARS_MAX) this.#contact.disconnect();
    }
    return areTaken;
  }

  /** The document as it is now. @returns whether it took all of it @throws Error  the connection */
  async sendWhole(document: ByteString): Promise<boolean> {
    const contents = this.#host.store.contentsOf(document);
    const connection = await this.#contact.connected();
    if (!this.#contact.isDaemon) return await this.send(document, wholeDocument(document, contents));
    const lines = puts(document, contents, { isNew: false, leader: this.#contact.leader });
    const answers = await Promise.all(lines.map((line) => connection.ask(line)));
    return this.isTaken(document, answers.at(-1) as string);
  }

  /** @returns whether it takes writes from here; if not, it is to be met again @throws Error  the answer is none */
  isFollowing(answer: string): boolean {
    const claim = answer.startsWith(DONE) ? undefined : objectOf(answer).get("claim");
    if (claim === undefined) return true;
    this.#contact.renew();
    this.#host.learn(claimIn(claim));
    return false;
  }

  /** @throws Error  the answer is none */
  isTaken(document: ByteString, answer: string): boolean {
    this.#contact.tellThere();
    if (answer.startsWith(DONE)) return true;
    if (!this.isFollowing(answer)) return false;
    this.#missed.refuse(document);
    const message = String(objectOf(answer).get("message") ?? "an answer without a message");
    this.#host.log.warn(
      { replica: this.#contact.name, document: textOfBytes(document), message },
      "a JSON replica refuses what was written here; the document will be sent as a whole",
    );
    return false;
  }
}
