/** The JSON listener, for clients of php-dbsync's replicated in-memory database. */

import type { JsonReplicaFigures } from "../../daemon/listener/json-replica-figures.js";
import type { Limits } from "../../daemon/options/limits.js";
import { UserListener, type UserListenerParts } from "../users/user-listener.js";
import { RefusedRequests } from "./actions/forwarded-writes.js";
import { JSON_LISTENER, JsonDialect } from "./json-dialect.js";
import { PieceOutput } from "./long-answer-output.js";
import { ANSWER_END, failure } from "./messages/json-answers.js";
import { DocumentStore } from "./replicas/document-store.js";
import { ReplicaServer } from "./replicas/replica-server.js";
import { JsonReplicas, replicaLimitsOf } from "./replicas/replicas.js";

const FORWARDED_REFUSED =
  'a request with "replicate":false was refused: if another server forwarded it, the two servers now differ';

export class JsonListener extends UserListener<Buffer> {
  readonly #replicas: JsonReplicas | null;

  constructor(parts: UserListenerParts) {
    const { path, daemon, environment, log } = parts;
    const { jsonReplicas: addresses } = daemon.settings;
    const refused = new RefusedRequests(log, environment, FORWARDED_REFUSED);
    const store = new DocumentStore(path, environment);
    const replicaLimits = replicaLimitsOf(parts.limits);
    const servers = addresses.map((address) => new ReplicaServer(address, replicaLimits, log, environment));
    const replicas = addresses.length === 0 ? null : new JsonReplicas(servers, store, replicaLimits, log);
    const output = new PieceOutput();
    super(parts, {
      name: JSON_LISTENER,
      fullText: failure("Too many clients.") + ANSWER_END,
      makeServer: (host) => host,
      makeDialect: (host) => new JsonDialect(host, replicas, refused, output),
    });
    this.#replicas = replicas;
  }

  override set limits(limits: Limits) {
    super.limits = limits;
    if (this.#replicas !== null) this.#replicas.limits = limits;
  }

  override get loading(): string | null {
    return this.#replicas?.isReady === false ? this.#replicas.notReady : null;
  }

  override get jsonReplicas(): JsonReplicaFigures | null {
    return this.#replicas?.figures ?? null;
  }

  override async start(): Promise<void> {
    await super.start();
    await this.#replicas?.start();
  }

  override async stop(): Promise<void> {
    this.#replicas?.stopFetching();
    await super.stop();
    this.#replicas?.stop();
  }
}
