/**
 * The servers of `--json-replica`: original servers to which the writes of JSON clients are sent, in the form in which
 * an original sends them. At the start these servers send the documents that this daemon does not have yet. Source:
 * test/vectors/json, "Replication"; docs/json-documents.md "Original servers".
 */
import type { Logger } from "pino";
import type { JsonReplicaFigures } from "../../../daemon/listener/daemon-listener.js";
import type { Limits } from "../../../daemon/options/limits.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { JsonRequest } from "../messages/json-request.js";
import type { DocumentStore } from "./document-store.js";
import { FirstFetch } from "./first-fetch.js";
import type { ReplicaLimits } from "./replica-connection.js";
import { type DifferenceHandler, ReplicaForwarder } from "./replica-forwarder.js";
import { type Forwarded, requestsForOriginal } from "./replica-requests.js";
import type { ReplicaServer } from "./replica-server.js";

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
