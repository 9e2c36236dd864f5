/** Writes documents to all daemons, entry by entry: many entries a command, some commands on the way at once. */
import type { ReplyValue } from "../../client/shared/reply-value.js";
import type { SendToAll } from "../shared/send-to-all.js";
import type { SourceEntry } from "./json-source.js";

/** Entries of a command, and characters, at most. */
const BATCH_ENTRIES = 500;
const BATCH_CHARACTERS = 256 * 1024;
const ON_THE_WAY = 8;

export class DocumentWriter {
  readonly #send: SendToAll;
  /** Commands on the way, the oldest first. */
  readonly #sent: Promise<ReplyValue>[] = [];
  #document = "";
  #batch: string[] = [];
  #characters = 0;
  /** When all entries of the batch expire, milliseconds since 1970; null: they stay. */
  #expires: number | null = null;
  #inDocument = 0;
  #mayExpire = 0;
  #entries = 0;

  constructor(send: SendToAll) {
    this.#send = send;
  }

  /** Entries that were handed over so far. */
  get entries(): number {
    return this.#entries;
  }

  async begin(document: string): Promise<void> {
    this.#document = document;
    this.#inDocument = this.#mayExpire = 0;
    await this.#send(["DOC.CREATE", document]);
  }

  async add({ key, json, expires }: SourceEntry): Promise<void> {
    if (expires !== this.#expires) await this.#flush();
    this.#expires = expires;
    this.#batch.push(key, json);
    this.#characters += key.length + json.length;
    this.#inDocument++;
    if (expires !== null) this.#mayExpire++;
    this.#entries++;
    const isFull = this.#batch.length >= 2 * BATCH_ENTRIES || this.#characters >= BATCH_CHARACTERS;
    if (isFull) await this.#flush();
  }

  /** @throws Error  the daemons have another number of entries */
  async end(): Promise<void> {
    await this.#flush();
    await Promise.all(this.#sent.splice(0));
    const count = await this.#send(["DOC.COUNT", this.#document]);
    const missing = this.#inDocument - Number(count);
    if (missing >= 0 && missing <= this.#mayExpire) return;
    throw new Error(
      `${this.#document}: ${this.#inDocument} entries were sent, and ${String(count)} are there`,
    );
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    if (this.#sent.length >= ON_THE_WAY) await this.#sent.shift();
    // The original lets entries lack members that the first one has.
    const lifetime = this.#expires === null ? [] : ["PXAT", String(this.#expires)];
    const sending = this.#send([
      ...["DOC.INSERT", this.#document, ...lifetime, "NOCHECK", "KEYS"],
      ...this.#batch,
    ]);
    // Told by whoever awaits it, and no crash until then.
    sending.catch(() => {});
    this.#sent.push(sending);
    this.#batch = [];
    this.#characters = 0;
  }
}
