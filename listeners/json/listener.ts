/** The JSON listener: what clients of the replicated memory database connect to. */

import type { ReplicaPlace } from "../../net/process/place.js";
import type { Limits } from "../../options/limits.js";
import type { JsonReplicaFigures } from "../replica-figures.js";
import { UserListener, type UserListenerParts } from "../user-listener.js";
import { RefusedRequests } from "./actions/passed-on.js";
import { JSON_LISTENER, JsonDialect } from "./dialect.js";
import { ANSWER_END, failure } from "./messages/answers.js";
import { PieceOutput } from "./piece-output.js";
import { DocumentStore } from "./replicas/document-store.js";
import { JsonReplicas } from "./replicas/replicas.js";

const PASSED_ON_REFUSED =
  'a request with "replicate":false is refused: if another server has passed it on, the two differ now';

export interface JsonListenerParts extends Omit<UserListenerParts, "daemon"> {
  readonly daemon: { readonly settings: { readonly jsonReplicas: readonly ReplicaPlace[] } };
}

export class JsonListener extends UserListener<Buffer> {
  readonly #replicas: JsonReplicas | null;

  constructor(parts: JsonListenerParts) {
    const { path, daemon, environment } = parts;
    const { jsonReplicas: places } = daemon.settings;
    const refused = new RefusedRequests(parts.log, environment, PASSED_ON_REFUSED);
    const store = new DocumentStore(path, environment);
    const replicas = places.length === 0 ? null : new JsonReplicas({ ...parts, places, store });
    super(parts, {
      name: JSON_LISTENER,
      fullText: failure("Too many clients.") + ANSWER_END,
      dialects(host) {
        const whole = Object.assign(host, { replicas, refused, output: new PieceOutput() });
        return () => new JsonDialect(whole);
      },
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
