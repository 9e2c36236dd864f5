/**
 * One server that is to have what clients write here, of the original's kind or a daemon of ours. Writes reach it in their order, and wait
 * for one that says nothing once, not again and again. What it misses or refuses is noted by document, and sent as a whole until it has it.
 */

import type { ReplicaPlace } from "../../../net/process/place.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { JsonObject } from "../../../protocol/json/json-value.js";
import type { ForwardedWrite } from "./forwarded-write.js";
import { MissedDocuments } from "./missed-documents.js";
import { compareWith, isForeign } from "./replica-comparison.js";
import { objectOf, type ReplicaBounds, type ReplicaConnection, SilentReplica } from "./replica-connection.js";
import { type ContactHost, type KnownContact, ReplicaContact } from "./replica-contact.js";
import { type DeliveryHost, ReplicaDelivery } from "./replica-delivery.js";
import type { Forwarded } from "./replica-requests.js";
import { SerialWork } from "./serial-work.js";

/** Milliseconds between two attempts to reach it. */
const RETRY_MS = 1_000;
/** What becomes of a write. */
interface Forwarding {
  readonly isDone: boolean | Promise<boolean>;
}

export interface LinkHost extends ContactHost, DeliveryHost {
  /** A server has other contents, or had. */
  differs(link: ReplicaLink, documents: readonly ByteString[]): void;
  /** A document has been taken over. */
  adopted(link: ReplicaLink, document: ByteString): void;
  lost(link: ReplicaLink): void;
}

export interface ReplicaLinkParts {
  readonly place: ReplicaPlace;
  readonly bounds: ReplicaBounds;
  readonly host: LinkHost;
}

export class ReplicaLink {
  readonly #host: LinkHost;
  readonly #contact: ReplicaContact;
  /** Documents of which it may not have all. */
  readonly #missed: MissedDocuments;
  readonly #delivery: ReplicaDelivery;
  /** Documents that it must have: it gave them, or has confirmed writes of them. */
  readonly #known = new Set<ByteString>();
  /** Documents reported as different, until the server takes them. */
  readonly #reported = new Set<ByteString>();
  readonly #work = new SerialWork();
  #count = 0;
  /** It has all writes up to a number: it was levelled. */
  #levelUpTo = 0;
  /** Documents that were sent as a whole, with all writes up to a number, and whether all of it was taken. */
  readonly #whole = new Map<ByteString, { readonly upTo: number; readonly isTaken: boolean }>();
  #retry: NodeJS.Timeout | null = null;
  /** Writes do not wait for it, until it has been reached again. */
  #isSilent = false;
  #isStopped = false;

  constructor({ place, bounds, host }: ReplicaLinkParts) {
    this.#host = host;
    this.#contact = new ReplicaContact({ place, bounds, host, closed: () => this.#closed() });
    this.#missed = new MissedDocuments(() => this.refresh());
    this.#delivery = new ReplicaDelivery(this.#contact, this.#missed, host);
  }

  set bounds(bounds: ReplicaBounds) {
    this.#contact.bounds = bounds;
  }

  /** It has given its documents. @param documents  that it is known to have */
  given(documents: readonly ByteString[]): void {
    this.#contact.hasGiven = true;
    this.keep(documents);
    this.refresh();
  }

  /** What is known of the server. */
  get contact(): KnownContact {
    return this.#contact;
  }

  /** Documents of which it may not have all. */
  get missed(): Pick<MissedDocuments, "size" | "refusedSize"> {
    return this.#missed;
  }

  /** @returns whether the server has confirmed it */
  async forward(write: ForwardedWrite): Promise<boolean> {
    if (this.#contact.kind === "self") return false;
    const isTaken = await this.#told(write);
    if (isTaken && !write.isDrop) this.#known.add(write.document);
    else if (isTaken) this.#known.delete(write.document);
    return isTaken;
  }

  /** Sends one request that changes nothing. @throws Error  the connection */
  async ask(request: string): Promise<JsonObject> {
    return objectOf(await (await this.#connected()).ask(request));
  }

  /** Sends it at once, or not at all. @throws Error  the connection */
  async tell(request: string): Promise<JsonObject> {
    const connection = this.#contact.connection;
    if (connection === null) throw new Error("there is no connection");
    try {
      return objectOf(await connection.ask(request));
    } catch (problem) {
      this.#lost(problem, connection);
      throw problem;
    }
  }

  /** Documents that it is known to have. */
  keep(documents: readonly ByteString[]): void {
    for (const document of documents) this.#known.add(document);
  }

  /** It is to get the document as a whole. */
  miss(document: ByteString): void {
    this.#missed.add(document);
    this.refresh();
  }

  /** Another one leads from now on. */
  renew(): void {
    this.#contact.renew();
  }

  /** It has this daemon in its list: what it said before it knew that does not count. */
  listed(): void {
    if (this.#isStopped || this.#contact.kind === "self") return;
    void this.#behind(async () => {
      this.#contact.renew();
      await this.#catchUp();
    });
  }

  /** @param isAnew  asks it again whom it follows @returns whether it is there */
  async meet(isAnew = false): Promise<boolean> {
    if (this.#contact.kind === "self") return false;
    return await this.#behind(async () => {
      try {
        if (isAnew) this.#contact.renew();
        await this.#connected();
        if (isAnew && this.#host.fleet.leads) this.#retrySoon();
        return true;
      } catch (problem) {
        this.#lost(problem, this.#contact.connection);
        return false;
      }
    });
  }

  /** Brings it up to date, without anybody who waits for it. */
  refresh(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    if (this.#isStopped || this.#contact.kind === "self") return;
    void this.#behind(() => this.#catchUp());
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#missed.retry();
    this.#contact.connection?.destroy();
  }

  async #told(write: ForwardedWrite): Promise<boolean> {
    const number = ++this.#count;
    if (this.#isLevel && !this.#delivery.isLong(write)) return await this.#tellNow(write);
    if (this.#isSilent) {
      this.#missed.add(write.document);
      return false;
    }
    const isNeeded = !this.#missed.areDue && !this.#contact.isDaemon && !this.#missed.has(write.document);
    const translated = isNeeded ? write.translated() : null;
    const { isDone } = await this.#behind(() => this.#forward(write, translated, number));
    return await isDone;
  }

  /** Whether it is a daemon that has all that was written before, or will have once it has answered. */
  get #isLevel(): boolean {
    return this.#contact.isOpen && this.#work.isIdle && this.#missed.size === 0;
  }

  async #behind<A>(step: () => Promise<A>): Promise<A> {
    const result = await this.#work.run(step);
    if (this.#work.isIdle) this.#whole.clear();
    return result;
  }

  /** @returns what becomes of a write, by its number: a daemon is told the next one before it has answered */
  async #forward(write: ForwardedWrite, translated: Forwarded | null, number: number): Promise<Forwarding> {
    const { document } = write;
    const whole = this.#whole.get(document);
    if (whole !== undefined && number <= whole.upTo) {
      this.#delivery.note(write);
      return { isDone: whole.isTaken };
    }
    if (this.#isStopped || this.#isSilent) {
      this.#missed.add(document);
      return { isDone: false };
    }
    try {
      await this.#ready();
      if (number <= this.#levelUpTo) return { isDone: !this.#missed.has(document) };
      // Who leads it gets the write from here. It may follow this one soon, or the other way round.
      if (!this.#contact.isTaking) {
        if (!this.#contact.hasGiven || this.#contact.kind === null) this.#missed.add(document);
        this.#retrySoon();
        return { isDone: false };
      }
      const isRefused = this.#missed.isRefused(document);
      if (!this.#missed.areDue && !isRefused && this.#contact.isDaemon && !this.#delivery.isLong(write))
        return { isDone: this.#tellNow(write) };
      // What was a daemon may be an original now.
      if (
        !this.#missed.areDue &&
        !isRefused &&
        translated !== null &&
        (!translated.dropsFirst || this.#known.has(document))
      )
        return { isDone: await this.#delivery.send(document, translated) };
      this.#missed.add(document);
      if (this.#missed.areDue) await this.#sendMissed();
      this.#delivery.note(write);
      return { isDone: !this.#missed.has(document) };
    } catch (problem) {
      this.#lost(problem, this.#contact.connection);
      this.#missed.add(document);
      return { isDone: false };
    }
  }

  /** Many at once. */
  async #tellNow(write: ForwardedWrite): Promise<boolean> {
    const connection = this.#contact.connection;
    try {
      if (connection !== null)
        return this.#isTaken(write.document, await connection.ask(write.told(this.#contact.leader)));
    } catch (problem) {
      this.#lost(problem, connection);
    }
    this.miss(write.document);
    return false;
  }

  /** Documents are sent as they are now: all that has been done before is in them. */
  async #sendMissed(): Promise<void> {
    for (const document of this.#missed.due) {
      if (!this.#contact.isTaking) break;
      if (await isForeign(document, this.#contact, this.#known, this.#host)) {
        this.#missed.refuse(document);
        if (!this.#reported.has(document)) this.#differs([document]);
        continue;
      }
      this.#reported.delete(document);
      const upTo = this.#count;
      const isTaken = await this.#delivery.sendWhole(document);
      this.#whole.set(document, { upTo, isTaken });
      if (!isTaken) continue;
      this.#missed.settle(document);
      if (this.#host.store.has(document)) this.#known.add(document);
      else this.#known.delete(document);
    }
    if (!this.#contact.isTaking) this.#retrySoon();
    if (this.#missed.size === 0)
      this.#host.log.info({ replica: this.#contact.name }, "a JSON replica has all documents again");
  }

  /** Reports documents whose contents differ there. The retries that follow do not report them again. */
  #differs(documents: readonly ByteString[]): void {
    for (const document of documents) this.#reported.add(document);
    this.#host.differs(this, documents);
  }

  /** Reached, met, and compared with. */
  async #ready(): Promise<void> {
    const connection = await this.#connected();
    if (this.#contact.isCompared || !this.#host.fleet.leads || !this.#contact.isTaking) return;
    const isTaken = await compareWith(connection, {
      host: this.#host,
      contact: this.#contact,
      delivery: this.#delivery,
      missed: this.#missed,
      known: this.#known,
      differs: (documents) => this.#differs(documents),
      adopted: (document) => this.#host.adopted(this, document),
      sealed: () => {
        this.#levelUpTo = this.#count;
      },
    });
    if (isTaken) return;
    this.#levelUpTo = 0;
    this.#retrySoon();
  }

  #isTaken(document: ByteString, answer: string): boolean {
    const isTaken = this.#delivery.isTaken(document, answer);
    // It says that another one leads, or that it lacks something: it is asked, if no write does it before.
    if (this.#contact.kind === null) this.#retrySoon();
    return isTaken;
  }

  async #connected(): Promise<ReplicaConnection> {
    const connection = await this.#contact.connected();
    this.#isSilent = false;
    return connection;
  }

  /** By the other side, while nothing was asked. */
  #closed(): void {
    if (this.#isStopped) return;
    this.#missed.retry();
    this.#retrySoon();
    this.#host.lost(this);
  }

  /** @param connection  that is lost; null: there was none */
  #lost(problem: unknown, connection: ReplicaConnection | null): void {
    // All requests that it had not answered tell of it.
    if (this.#contact.connection !== connection) return;
    this.#contact.tellAway(problem);
    this.#missed.retry();
    this.#contact.disconnect();
    this.#isSilent = problem instanceof SilentReplica;
    this.#retrySoon();
    if (!this.#isStopped) this.#host.lost(this);
  }

  #retrySoon(): void {
    if (!this.#isStopped) this.#retry ??= setTimeout(() => this.refresh(), RETRY_MS).unref();
  }

  async #catchUp(): Promise<void> {
    if (this.#isStopped) return;
    try {
      if (this.#contact.kind === "other" && this.#host.fleet.leads) this.#contact.renew();
      await this.#ready();
      if (!this.#host.fleet.leads) return;
      // It may soon follow this one, or the other way round.
      if (!this.#contact.isTaking) this.#retrySoon();
      else if (this.#missed.areDue) await this.#sendMissed();
    } catch (problem) {
      this.#lost(problem, this.#contact.connection);
    }
  }
}
