/**
 * Fetches the documents of the servers of --json-replica after the start. Until every server has given its documents, or a daemon of the
 * list that is ready has, this daemon is not ready: a write would be sent to them whole, over documents that were never seen here.
 * Source: docs/json-documents.md "At the start".
 */
import type { Logger } from "pino";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { Contents, DocumentStore } from "./document-store.js";
import type { Fleet } from "./fleet.js";
import { documentsOf } from "./given-documents.js";
import { SilentReplica } from "./replica-connection.js";
import type { ReplicaLink } from "./replica-link.js";

/** Milliseconds until a server is asked again; after each failure twice as long as before. */
const RETRY_MS = 50;
const RETRY_MAX_MS = 15_000;
/** Milliseconds that a server may be silent about all its documents, at most: the limit doubles with each silence. */
const PATIENCE_MAX_MS = 300_000;
/** How often a server is asked again because it passed writes on meanwhile. */
const ROUNDS = 3;
/** Attempts in which the leader is expected to send the documents itself. */
const LED_ATTEMPTS = 8;

export interface FirstFetchParts {
  readonly links: readonly ReplicaLink[];
  readonly fleet: Fleet;
  readonly store: DocumentStore;
  readonly log: Logger;
  /** A document was taken over from a server. */
  readonly taken: (from: ReplicaLink, document: ByteString) => void;
}

export class FirstFetch {
  readonly #parts: FirstFetchParts;
  /** Documents that a server has given. */
  readonly #given = new Set<ByteString>();
  /** Why each server has not given its documents. */
  readonly #reasons = new Map<ReplicaLink, string>();
  readonly #running = new Map<ReplicaLink, Promise<void>>();
  readonly #timers = new Map<ReplicaLink, NodeJS.Timeout>();
  /** Since a server of the list was last seen. */
  readonly #failures = new Map<ReplicaLink, number>();
  readonly #silences = new Map<ReplicaLink, number>();
  readonly #waiters = new Set<() => void>();
  #isReady = false;
  #isStopped = false;
  /** Writes of other servers that were refused because this daemon was not ready. */
  #refused = 0;

  constructor(parts: FirstFetchParts) {
    this.#parts = parts;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** The servers that have not given their documents, each with the reason. */
  get pending(): string {
    const links = this.#parts.links.filter((link) => !link.contact.hasGiven);
    return links
      .map((link) => `${link.contact.name} (${this.#reasons.get(link) ?? "not asked yet"})`)
      .join(", ");
  }

  /** A write that another server passed on was refused: the documents that are being fetched may not have it. */
  noteRefused(): void {
    this.#refused++;
  }

  /** Asks every server once, the leader first, then in the order of the list: the first one that has a document gives it. */
  async start(): Promise<void> {
    const { links, fleet, log } = this.#parts;
    await Promise.all(links.map((link) => link.meet()));
    const isLeader = ({ contact }: ReplicaLink) => contact.memberId === fleet.claim.id;
    for (const link of [...links].sort((a, b) => Number(isLeader(b)) - Number(isLeader(a))))
      await this.#attempt(link);
    if (!this.#isReady && !this.#isStopped)
      log.warn(
        { pending: this.pending },
        "not ready: servers of --json-replica have not given their documents; reads and writes of JSON clients are refused until then. Start these servers, or take those that are gone permanently out of --json-replica",
      );
  }

  /** Asks the servers again that have not given their documents: one of them was just seen. */
  again(): void {
    if (this.#isStopped) return;
    this.#failures.clear();
    for (const link of this.#parts.links) if (!link.contact.hasGiven) void this.#attempt(link);
  }

  /** Resolves when this daemon is ready, or after the given milliseconds. @returns whether it is ready */
  async whenReady(mostMs: number): Promise<boolean> {
    if (this.#isReady) return true;
    return await new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiters.delete(settle);
        resolve(this.#isReady);
      };
      const timer = setTimeout(settle, mostMs).unref();
      this.#waiters.add(settle);
    });
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const waiter of [...this.#waiters]) waiter();
  }

  #attempt(link: ReplicaLink): Promise<void> {
    clearTimeout(this.#timers.get(link));
    const running = this.#running.get(link) ?? this.#tryFetch(link).finally(() => this.#running.delete(link));
    this.#running.set(link, running);
    return running;
  }

  async #tryFetch(link: ReplicaLink): Promise<void> {
    const silences = this.#silences.get(link) ?? 0;
    try {
      const names = await link.contact.withPatience(2 ** silences, PATIENCE_MAX_MS, () =>
        this.#fetchAll(link),
      );
      if (this.#isStopped) return;
      this.#reasons.delete(link);
      link.given(names);
      if (link.contact.kind !== "self")
        this.#parts.log.info({ replica: link.contact.name }, "has given its documents");
      this.#decide();
    } catch (problem) {
      if (this.#isStopped) return;
      const reason = problem instanceof Error ? problem.message : String(problem);
      if (this.#reasons.get(link) !== reason)
        this.#parts.log.warn({ replica: link.contact.name, reason }, "could not give its documents");
      this.#reasons.set(link, reason);
      if (problem instanceof SilentReplica) this.#silences.set(link, silences + 1);
      const failures = this.#failures.get(link) ?? 0;
      this.#failures.set(link, failures + 1);
      const delay = Math.min(RETRY_MS * 2 ** failures, RETRY_MAX_MS);
      this.#timers.set(link, setTimeout(() => void this.#attempt(link), delay).unref());
    }
  }

  /** @returns the documents that the server is known to have @throws Error  it has not given all of them */
  async #fetchAll(link: ReplicaLink): Promise<readonly ByteString[]> {
    let known: readonly ByteString[] = [];
    const taken = new Set<ByteString>();
    for (let round = 0; round < ROUNDS; round++) {
      const refused = this.#refused;
      const isReached = await link.meet();
      if (link.contact.kind === "self") return [];
      if (!isReached) throw link.contact.problem;
      known = await this.#fetchOnce(link, taken);
      if (refused === this.#refused) break;
    }
    return known;
  }

  /** @param taken  documents that were taken from this server in an earlier round: its newer contents replace them */
  async #fetchOnce(link: ReplicaLink, taken: Set<ByteString>): Promise<readonly ByteString[]> {
    const { fleet, store } = this.#parts;
    const { changes } = fleet;
    const { kind } = link.contact;
    const isOfFleet = kind === "follower" || kind === "other";
    const known: ByteString[] = [];
    const documents = await documentsOf(link);
    for (const name of taken) if (!documents.has(name)) store.replace(name, null, false);
    for (const [name, given] of documents) {
      const isHere = () => store.has(name);
      if (isHere() && !taken.has(name)) {
        // One that was made here alone is not the server's: it must not be sent there over the server's own.
        if (this.#given.has(name) || isOfFleet) known.push(name);
        continue;
      }
      if (fleet.followsInOrder && !fleet.isLevelling) continue;
      if (fleet.isLevelling || this.#isLed(link))
        throw new Error("the daemon that orders the writes has not sent all documents");
      const contents = await given();
      if (!fleet.leads && fleet.changes !== changes)
        throw new Error("the daemon that orders the writes began to send documents");
      if (isHere() && !taken.has(name)) continue;
      this.#take(link, name, contents);
      taken.add(name);
      known.push(name);
    }
    return known;
  }

  /** Whether the leader is expected to send its documents: this daemon follows it, and is in its list. */
  #isLed(link: ReplicaLink): boolean {
    const { fleet } = this.#parts;
    const isExpected = (this.#failures.get(link) ?? 0) < LED_ATTEMPTS;
    return !fleet.leads && link.contact.met?.isListed === true && isExpected;
  }

  #take(link: ReplicaLink, name: ByteString, contents: Contents): void {
    const { store, taken } = this.#parts;
    const reply = store.replace(name, contents, true);
    if (reply.kind === "error")
      throw new Error(`its document ${textOfBytes(name)} cannot be taken over: ${reply.text}`);
    this.#given.add(name);
    taken(link, name);
  }

  #decide(): void {
    if (this.#isReady) return;
    const { links, log } = this.#parts;
    const isVouched = links.some(({ contact }) => contact.hasGiven && contact.met?.isReady === true);
    if (!isVouched && links.some(({ contact }) => !contact.hasGiven)) return;
    this.#isReady = true;
    log.info("ready: the servers of --json-replica have given their documents");
    for (const waiter of [...this.#waiters]) waiter();
  }
}
