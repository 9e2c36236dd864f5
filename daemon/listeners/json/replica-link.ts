/**
 * One server that is to have what clients write here, of the original's kind or a daemon of ours. Writes reach it in their order, and wait
 * for one that says nothing once, not again and again. What it misses is noted by document, and sent as a whole once it is back.
 */
import type { Logger } from "pino";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { isContainer, JsonNumber, type JsonObject, memberValues } from "../../../protocol/json-value.js";
import { placeName } from "../../place.js";
import {
  objectOf,
  type ReplicaBounds,
  ReplicaConnection,
  type ReplicaPlace,
  SilentReplica,
} from "./replica-connection.js";
import { type Contents, type Forwarded, REQUEST_CHARS_MAX, wholeDocument } from "./replica-requests.js";

/** Milliseconds between two attempts to reach it. */
const RETRY_MS = 1_000;

/** Answered by the names of all documents. */
const LIST = '{"action":"list"}';
/** What a server says to what it has done. */
const DONE = '{"status":"success"';

/** A write that has just been done here. */
export interface ForwardedWrite {
  readonly document: ByteString;
  /** Whether the document is no more. */
  readonly isDrop: boolean;
  /** The client's own request, for a daemon of ours. */
  readonly repeated: string;
  /** In the original's words, with the document as it is now. */
  translated(): Forwarded;
}

export interface ReplicaLinkParts {
  readonly place: ReplicaPlace;
  readonly bounds: ReplicaBounds;
  readonly contentsOf: (document: ByteString) => Contents;
  readonly log: Logger;
}

export class ReplicaLink {
  readonly #parts: ReplicaLinkParts;
  #connection: ReplicaConnection | null = null;
  /** Documents of which it may not have all. */
  readonly #missed = new Set<ByteString>();
  /** Documents that it must have: it gave them, or has confirmed writes of them. */
  readonly #known = new Set<ByteString>();
  /** Resolves when everything before is done. */
  #work: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #count = 0;
  /** Documents that were sent as a whole, with all writes up to a number, and whether all of it was taken. */
  readonly #whole = new Map<ByteString, { readonly upTo: number; readonly isTaken: boolean }>();
  #retry: NodeJS.Timeout | null = null;
  /** Writes do not wait for it, until it has been reached again. */
  #isSilent = false;
  /** The log says that it is away. */
  #isAway = false;
  #isStopped = false;

  constructor(parts: ReplicaLinkParts) {
    this.#parts = parts;
  }

  /** host:port */
  get name(): string {
    return placeName(this.#parts.place);
  }

  /** @returns whether the server has confirmed it */
  async forward(write: ForwardedWrite): Promise<boolean> {
    const isTaken = await this.#told(write);
    if (isTaken && !write.isDrop) this.#known.add(write.document);
    else if (isTaken) this.#known.delete(write.document);
    return isTaken;
  }

  async #told(write: ForwardedWrite): Promise<boolean> {
    const number = ++this.#count;
    if (this.#isLevel) return await this.#repeat(write);
    const isNeeded = this.#missed.size === 0 && this.#connection?.isDaemon !== true;
    const translated = isNeeded ? write.translated() : null;
    const isDone = await this.#behind(() => this.#forward(write, translated, number));
    return isDone ?? (await this.#repeat(write));
  }

  /** Sends one request that changes nothing. @throws Error  the connection */
  async ask(request: string): Promise<JsonObject> {
    return objectOf(await (await this.#connected()).ask(request));
  }

  /** Whether it is a daemon of ours, as far as is known. */
  get isDaemon(): boolean {
    return this.#connection?.isDaemon === true;
  }

  /** Documents that it is known to have. */
  keep(documents: readonly ByteString[]): void {
    for (const document of documents) this.#known.add(document);
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#connection?.destroy();
  }

  /** Whether it is a daemon that has all that was written before, or will have once it has answered. */
  get #isLevel(): boolean {
    const connection = this.#connection;
    const isThere = connection?.isDaemon === true && !connection.isLost;
    return isThere && this.#waiting === 0 && this.#missed.size === 0;
  }

  async #behind<A>(run: () => Promise<A>): Promise<A> {
    this.#waiting++;
    const done = this.#work.then(run);
    this.#work = done;
    const result = await done;
    if (--this.#waiting === 0) this.#whole.clear();
    return result;
  }

  /** @returns what became of a write, by its number; null: it is a daemon's, and to be repeated now */
  async #forward(
    { document }: ForwardedWrite,
    translated: Forwarded | null,
    number: number,
  ): Promise<boolean | null> {
    const whole = this.#whole.get(document);
    if (whole !== undefined && number <= whole.upTo) return whole.isTaken;
    if (this.#isStopped || this.#isSilent) {
      this.#missed.add(document);
      return false;
    }
    try {
      const { isDaemon } = await this.#connected();
      if (this.#missed.size === 0 && isDaemon) return null;
      // What was a daemon may be an original now.
      if (this.#missed.size === 0 && translated !== null) return await this.#send(translated);
      this.#missed.add(document);
      return await this.#sendMissed();
    } catch (problem) {
      this.#lost(problem, this.#connection);
      this.#missed.add(document);
      return false;
    }
  }

  /** Many at once. */
  async #repeat({ document, repeated }: ForwardedWrite): Promise<boolean> {
    const connection = this.#connection;
    try {
      if (connection !== null) return this.#isTaken(await connection.ask(repeated));
    } catch (problem) {
      this.#lost(problem, connection);
    }
    this.#missed.add(document);
    return false;
  }

  /** One after the other: an original takes all that it reads at once for one request. @returns whether it took all of it */
  async #send({ requests, dropsFirst }: Forwarded): Promise<boolean> {
    let areTaken = requests.length > 0;
    for (const [place, request] of requests.entries()) {
      const connection = await this.#connected();
      const answer = await connection.ask(request);
      if ((dropsFirst && place === 0) || this.#isTaken(answer)) continue;
      areTaken = false;
      // One that needs more than one of its reads is several requests to it: an answer to each may still come.
      if (!connection.isDaemon && request.length > REQUEST_CHARS_MAX) this.#disconnect();
    }
    return areTaken;
  }

  #isTaken(answer: string): boolean {
    this.#isAway = false;
    if (answer.startsWith(DONE)) return true;
    const message = String(objectOf(answer).get("message"));
    this.#parts.log.warn({ replica: this.name, message }, "a JSON replica refuses what was written here");
    return false;
  }

  async #sendMissed(): Promise<boolean> {
    let areTaken = true;
    for (const document of this.#missed) {
      const upTo = this.#count;
      const contents = this.#parts.contentsOf(document);
      if (contents === null) this.#known.delete(document);
      const isTaken = await this.#send(wholeDocument(document, contents, await this.#connected()));
      this.#whole.set(document, { upTo, isTaken });
      areTaken &&= isTaken;
      this.#missed.delete(document);
    }
    this.#parts.log.info({ replica: this.name }, "a JSON replica has all documents again");
    return areTaken;
  }

  async #connected(): Promise<ReplicaConnection> {
    const { place, bounds } = this.#parts;
    // It may have been closed while there was nothing to say.
    if (this.#connection?.isLost) this.#connection = null;
    if (this.#connection === null) {
      const connection = await ReplicaConnection.open(place, bounds);
      this.#connection = connection;
      if (this.#known.size > 0) await this.#compare(connection);
    }
    this.#isSilent = false;
    return this.#connection;
  }

  /** What it had and has no more it has lost: it was started anew. */
  async #compare(connection: ReplicaConnection): Promise<void> {
    const documents = objectOf(await connection.ask(LIST)).get("documents");
    if (!isContainer(documents)) return;
    const there = new Set(
      memberValues(documents).map((name) =>
        name instanceof JsonNumber ? name.text : bytesOfText(String(name)),
      ),
    );
    for (const document of this.#known) if (!there.has(document)) this.#missed.add(document);
  }

  #disconnect(): void {
    this.#connection?.destroy();
    this.#connection = null;
  }

  /** @param connection  that is lost; null: there was none */
  #lost(problem: unknown, connection: ReplicaConnection | null): void {
    // All requests that it had not answered tell of it.
    if (this.#connection !== connection) return;
    const reason = problem instanceof Error ? problem.message : String(problem);
    if (!this.#isAway)
      this.#parts.log.warn(
        { replica: this.name, reason },
        "a JSON replica is away; what it misses will be sent",
      );
    this.#isAway = true;
    this.#disconnect();
    this.#isSilent = problem instanceof SilentReplica;
    if (this.#isStopped || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      void this.#behind(() => this.#catchUp());
    }, RETRY_MS).unref();
  }

  async #catchUp(): Promise<void> {
    if (this.#missed.size + this.#known.size === 0 || this.#isStopped) return;
    try {
      await this.#connected();
      if (this.#missed.size > 0) await this.#sendMissed();
    } catch (problem) {
      this.#lost(problem, this.#connection);
    }
  }
}
