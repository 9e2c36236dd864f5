/**
 * The servers of `--json-replica`: original servers to which the writes of JSON clients are sent, in the form in which
 * an original sends them. At the start these servers send the documents that this daemon does not have yet. Source:
 * test/vectors/json, "Replication"; docs/json-documents.md "Original servers".
 */
import type { Logger } from "pino";
import type { InfoFields } from "../../../daemon/engine/info/info-text.js";
import type { Limits } from "../../../daemon/options/limits.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { isContainer, type JsonValue, memberNames, memberValues } from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import type { Reply } from "../../../protocol/reply.js";
import type { JsonRequest } from "../messages/json-request.js";
import type { DocumentEntry, DocumentStore } from "./document-store.js";
import { type DifferenceHandler, ReplicaForwarder } from "./replica-forwarder.js";
import { type Forwarded, requestsForOriginal } from "./replica-requests.js";
import { DbsyncdReplica, isSilence, type ReplicaLimits, type ReplicaServer } from "./replica-server.js";

/** The commands whose document is the argument after a subcommand. */
const CONTAINERS: ReadonlySet<ByteString> = new Set(["DOC.INDEX", "DOC.MEMBER"]);

/** The beginning of the error for clients before the daemon is ready. */
const NOT_READY = "This daemon has not fetched yet the";

export class JsonReplicas {
  readonly #store: DocumentStore;
  readonly #log: Logger;
  readonly #forwarders: readonly ReplicaForwarder[];
  readonly #firstFetch: FirstFetch;
  readonly #differences = new Map<ReplicaForwarder, number>();
  #replicaLimits: ReplicaLimits;

  constructor(
    servers: readonly ReplicaServer[],
    store: DocumentStore,
    replicaLimits: ReplicaLimits,
    log: Logger,
  ) {
    this.#store = store;
    this.#log = log;
    this.#replicaLimits = replicaLimits;
    this.#forwarders = servers.map((server) => new ReplicaForwarder(server, store, log, this.#noteDifferent));
    this.#firstFetch = new FirstFetch(this.#forwarders, store, log);
  }

  set limits(limits: Limits) {
    this.#replicaLimits = replicaLimitsOf(limits);
    for (const { server } of this.#forwarders) server.replicaLimits = this.#replicaLimits;
  }

  /** Fetches the documents that this daemon does not have yet, at the start. */
  async start(): Promise<void> {
    await this.#firstFetch.start();
  }

  get isReady(): boolean {
    return this.#firstFetch.isReady;
  }

  /** Resolves when the daemon is ready, or after the given milliseconds. @returns whether it is ready */
  whenReady(maxMs = this.#replicaLimits.silenceMs): Promise<boolean> {
    return this.#firstFetch.whenReady(maxMs);
  }

  /** The error for clients before the daemon is ready. */
  get notReady(): string {
    return `${NOT_READY} documents of ${this.#firstFetch.pending}. Try again later.`;
  }

  /** Records that a forwarded write was refused: the running fetch may not include it. */
  noteRefused(): void {
    this.#firstFetch.noteRefused();
  }

  /**
   * Called with the probe id of a request that the daemon's own listener has received. If this daemon has sent it, it
   * has connected to itself.
   */
  probeReceived(probeId: ByteString): void {
    for (const { server } of this.#forwarders) server.probeReceived(probeId);
  }

  /**
   * Carries out a client's write and forwards it. @returns forwarded: whether a server has confirmed it, or null if
   * nothing has changed
   */
  write(
    argv: readonly ByteString[],
    request: JsonRequest,
  ): { readonly reply: Reply; readonly forwarded: Promise<boolean> | null } {
    const reply = this.#store.run(argv);
    return { reply, forwarded: hasChanged(reply) ? this.#forward(argv, request) : null };
  }

  get figures(): JsonReplicaFigures {
    const servers = this.#forwarders
      .filter(({ server }) => !server.isSelf)
      .map((forwarder) => ({
        replica: forwarder.server.name,
        isConnected: forwarder.server.isConnected,
        isDbsyncd: forwarder.server.kind === "dbsyncd",
        hasSentDocuments: forwarder.server.hasSentDocuments,
        missing: forwarder.missed.size,
        refused: forwarder.missed.refusedSize,
        different: this.#differences.get(forwarder) ?? 0,
      }));
    return { isReady: this.isReady, servers };
  }

  stopFetching(): void {
    this.#firstFetch.stop();
  }

  stop(): void {
    for (const forwarder of this.#forwarders) forwarder.stop();
  }

  /** @returns whether a server has confirmed the write */
  async #forward(argv: readonly ByteString[], request: JsonRequest): Promise<boolean> {
    const document = (CONTAINERS.has(argv[0] ?? "") ? argv[2] : argv[1]) as ByteString;
    let forwarded: Forwarded | null = null;
    const write = {
      document,
      isDrop: argv[0] === "DOC.DROP",
      requestsForOriginal: () => (forwarded ??= requestsForOriginal(request, document, this.#store)),
    };
    const all = await Promise.all(this.#forwarders.map((forwarder) => forwarder.forward(write)));
    return all.includes(true);
  }

  readonly #noteDifferent: DifferenceHandler = (forwarder, documents) => {
    const count = documents.length;
    this.#differences.set(forwarder, (this.#differences.get(forwarder) ?? 0) + count);
    this.#log.warn(
      { replica: forwarder.server.name, documents: documents.slice(0, 10).map(textOfBytes), count },
      "documents of a JSON replica differ from the documents here",
    );
  };
}

export function replicaLimitsOf(limits: Limits): ReplicaLimits {
  return { silenceMs: limits.jsonReplicaTimeout, maxBytes: limits.maxOutputBytes };
}

/** Returns whether a write has changed something. An error has not, nor has emptying an absent document. */
function hasChanged(reply: Reply): boolean {
  return reply.kind !== "error" && !(reply.kind === "integer" && reply.value === 0);
}

/** Milliseconds until a server is queried again; the delay doubles with each failure. */
const RETRY_MS = 50;
const RETRY_MAX_MS = 15_000;
/** Maximum milliseconds that a server may take to send all its documents; the limit doubles with each timeout. */
const PATIENCE_MAX_MS = 300_000;
/**
 * Maximum number of fetches from one server. The fetch is repeated if this daemon refused forwarded writes in the
 * meantime, because the fetched documents may not include these writes.
 */
const ROUNDS = 3;
/** The request for all documents. */
const GET_ALL = '{"action":"getall","replicate":false}';

/**
 * The documents of the servers of --json-replica, fetched after the start. This daemon is not ready until every server
 * has sent its documents. Otherwise a write here could send a complete document to a server, and overwrite a document
 * that this daemon has never received. Source: docs/json-documents.md "Original servers".
 */
class FirstFetch {
  readonly #forwarders: readonly ReplicaForwarder[];
  readonly #store: DocumentStore;
  readonly #log: Logger;
  /** The documents that a server has sent. */
  readonly #received = new Set<ByteString>();
  /** The reason why each server has not sent its documents yet. */
  readonly #reasons = new Map<ReplicaForwarder, string>();
  readonly #timers = new Map<ReplicaForwarder, NodeJS.Timeout>();
  readonly #failures = new Map<ReplicaForwarder, number>();
  readonly #silences = new Map<ReplicaForwarder, number>();
  readonly #waiters = new Set<() => void>();
  #isReady = false;
  #isStopped = false;
  /** The number of writes from other servers that were refused because this daemon was not ready. */
  #refused = 0;

  constructor(forwarders: readonly ReplicaForwarder[], store: DocumentStore, log: Logger) {
    this.#forwarders = forwarders;
    this.#store = store;
    this.#log = log;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** The servers that have not sent their documents, each with the reason. */
  get pending(): string {
    const forwarders = this.#forwarders.filter((forwarder) => !forwarder.server.hasSentDocuments);
    return forwarders
      .map((forwarder) => `${forwarder.server.name} (${this.#reasons.get(forwarder) ?? "not queried yet"})`)
      .join(", ");
  }

  /** Records that a forwarded write was refused: the documents that are being fetched may not include it. */
  noteRefused(): void {
    this.#refused++;
  }

  /** Queries every server once, in the order of the list. A document is taken from the first server that has it. */
  async start(): Promise<void> {
    const forwarders = this.#forwarders;
    const log = this.#log;
    await Promise.all(forwarders.map((forwarder) => forwarder.connect()));
    for (const forwarder of forwarders) await this.#attempt(forwarder);
    if (!this.#isReady && !this.#isStopped)
      log.warn(
        { pending: this.pending },
        "not ready: servers of --json-replica have not sent their documents; reads and writes of JSON clients are refused until then. Start these servers, or remove those that are permanently gone from --json-replica",
      );
  }

  /** Resolves when this daemon is ready, or after the given milliseconds. @returns whether it is ready */
  async whenReady(maxMs: number): Promise<boolean> {
    if (this.#isReady) return true;
    return await new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiters.delete(settle);
        resolve(this.#isReady);
      };
      const timer = setTimeout(settle, maxMs).unref();
      this.#waiters.add(settle);
    });
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const waiter of [...this.#waiters]) waiter();
  }

  async #attempt(forwarder: ReplicaForwarder): Promise<void> {
    const log = this.#log;
    const silences = this.#silences.get(forwarder) ?? 0;
    try {
      const names = await forwarder.server.withLongerTimeout(2 ** silences, PATIENCE_MAX_MS, () =>
        this.#fetchAll(forwarder),
      );
      if (this.#isStopped) return;
      this.#reasons.delete(forwarder);
      forwarder.documentsReceived(names);
      if (!forwarder.server.isSelf)
        log.info({ replica: forwarder.server.name }, "a JSON replica has sent its documents");
      this.#decide();
    } catch (problem) {
      if (this.#isStopped) return;
      const reason = problem instanceof Error ? problem.message : String(problem);
      if (this.#reasons.get(forwarder) !== reason && !(problem instanceof DbsyncdReplica))
        log.warn({ replica: forwarder.server.name, reason }, "a JSON replica could not send its documents");
      this.#reasons.set(forwarder, reason);
      if (isSilence(problem)) this.#silences.set(forwarder, silences + 1);
      const failures = this.#failures.get(forwarder) ?? 0;
      this.#failures.set(forwarder, failures + 1);
      const delay = Math.min(RETRY_MS * 2 ** failures, RETRY_MAX_MS);
      this.#timers.set(forwarder, setTimeout(() => void this.#attempt(forwarder), delay).unref());
    }
  }

  /** @returns the documents that the server is known to have @throws Error  the server has not sent all of them */
  async #fetchAll(forwarder: ReplicaForwarder): Promise<readonly ByteString[]> {
    let known: readonly ByteString[] = [];
    const taken = new Set<ByteString>();
    for (let round = 0; round < ROUNDS; round++) {
      const refused = this.#refused;
      const isReached = await forwarder.connect();
      if (forwarder.server.isSelf) return [];
      if (!isReached) throw forwarder.server.problem;
      known = await this.#fetchOnce(forwarder, taken);
      if (refused === this.#refused) break;
    }

    return known;
  }

  /** @param taken  documents fetched from this server in an earlier round, which its newer contents replace */
  async #fetchOnce(forwarder: ReplicaForwarder, taken: Set<ByteString>): Promise<readonly ByteString[]> {
    const store = this.#store;
    const known: ByteString[] = [];
    const documents = await documentsOf(forwarder);
    for (const name of taken) if (!documents.has(name)) store.replace(name, null);
    for (const [name, entries] of documents) {
      if (!store.has(name) || taken.has(name)) {
        this.#take(name, entries);
        taken.add(name);
        known.push(name);
        // A document that was created only here must not replace the server's own.
      } else if (this.#received.has(name)) known.push(name);
    }

    return known;
  }

  #take(name: ByteString, entries: readonly DocumentEntry[]): void {
    const reply = this.#store.replace(name, entries);
    if (reply.kind === "error")
      throw new Error(`its document ${textOfBytes(name)} cannot be stored: ${reply.text}`);
    this.#received.add(name);
  }

  #decide(): void {
    const forwarders = this.#forwarders;
    const log = this.#log;
    if (this.#isReady || forwarders.some(({ server }) => !server.hasSentDocuments)) return;
    this.#isReady = true;
    log.info("ready: the servers of --json-replica have sent their documents");
    for (const waiter of [...this.#waiters]) waiter();
  }
}

/**
 * Requests all documents. @returns the entries by document name @throws Error  the connection failed, or the reply
 * contains no documents
 */
async function documentsOf(forwarder: ReplicaForwarder): Promise<Map<ByteString, readonly DocumentEntry[]>> {
  const answer = await forwarder.request(GET_ALL);
  const documents = answer.get("documents");
  if (answer.get("status") !== "success" || !isContainer(documents)) {
    const message = answer.get("message");
    throw new Error(
      typeof message === "string" ? `it replied: ${message}` : "its reply contains no documents",
    );
  }

  const values = memberValues(documents);
  return new Map(
    memberNames(documents).map((name, at) => [bytesOfText(name), shownEntries(name, values[at])]),
  );
}

/** Returns the entries of a document. @throws Error  the document has no entries */
function shownEntries(name: string, value: JsonValue | undefined): readonly DocumentEntry[] {
  if (!isContainer(value)) throw new Error(`its document ${name} has no entries`);
  const values = memberValues(value);
  return memberNames(value).map((key, at) => ({
    key: bytesOfText(key),
    text: bytesOfText(writeJson(values[at] as JsonValue)),
  }));
}

/** The figures of a server of --json-replica, for metrics, INFO and /healthz. */
interface JsonReplicaServer {
  /** The address as host:port. */
  readonly replica: string;
  readonly isConnected: boolean;
  /** Whether the server is a dbsyncd, to which nothing is sent. */
  readonly isDbsyncd: boolean;
  /** Whether the server has sent its documents since the start. */
  readonly hasSentDocuments: boolean;
  /** The number of documents that may be incomplete on the server. */
  readonly missing: number;
  /** The number of missing documents that the server refuses for now. */
  readonly refused: number;
  /** The number of documents that differed from the daemon's for no known reason. */
  readonly different: number;
}

export interface JsonReplicaFigures {
  /** Whether clients are served, because all servers have sent their documents. */
  readonly isReady: boolean;
  /** The servers, excluding the daemon itself. */
  readonly servers: readonly JsonReplicaServer[];
}

/** Returns the fields of INFO replication. */
export function replicationFields({ isReady, servers }: JsonReplicaFigures): InfoFields {
  const rows = servers.map(({ replica, missing, refused, different, ...server }, index) => [
    `json_replica${index}`,
    `server=${replica},state=${stateOf(server)},missing_documents=${missing},refused_documents=${refused},different_documents=${different}`,
  ]);
  return { json_ready: Number(isReady), ...Object.fromEntries(rows) };
}

/** Returns the state of a server. `dbsyncd`: the server is not an original, and receives no writes. */
function stateOf({
  isConnected,
  isDbsyncd,
}: {
  readonly isConnected: boolean;
  readonly isDbsyncd: boolean;
}): string {
  return isDbsyncd ? "dbsyncd" : isConnected ? "online" : "away";
}
