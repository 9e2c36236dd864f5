/** The JSON listener: what clients of the replicated memory database connect to. */

import { ClientConnection } from "../../net/connections/client-connection.js";
import { SharedInput } from "../../net/connections/shared-input.js";
import type { Limits } from "../../options/limits.js";
import type { Settings } from "../../options/settings.js";
import { DaemonListener } from "../daemon-listener.js";
import type { JsonReplicaFigures } from "../replica-figures.js";
import type { UserListenerParts } from "../user-listener.js";
import { RefusedRequests } from "./actions/passed-on.js";
import { JSON_LISTENER, JsonDialect } from "./dialect.js";
import { ANSWER_END, failure } from "./messages/answers.js";
import { PieceOutput } from "./piece-output.js";
import { DocumentStore } from "./replicas/document-store.js";
import { JsonReplicas } from "./replicas/replicas.js";

const PASSED_ON_REFUSED =
  'a request with "replicate":false is refused: if another server has passed it on, the two differ now';

export interface JsonListenerParts extends Omit<UserListenerParts, "daemon"> {
  readonly daemon: { readonly settings: Pick<Settings, "jsonReplicas"> };
}

export class JsonListener extends DaemonListener {
  readonly #replicas: JsonReplicas | null;

  constructor(parts: JsonListenerParts) {
    const { path, users, memory, daemon } = parts;
    const { jsonReplicas: places } = daemon.settings;
    const { environment } = parts;
    const refused = new RefusedRequests(parts.log, environment, PASSED_ON_REFUSED);
    const store = new DocumentStore(path, environment);
    const replicas = places.length === 0 ? null : new JsonReplicas({ ...parts, places, store });
    super({
      ...parts,
      name: JSON_LISTENER,
      options: { address: "--json", port: "--json" },
      fullText: failure("Too many clients.") + ANSWER_END,
      connector(host) {
        const output = new PieceOutput();
        const whole = Object.assign(host, {
          path,
          users,
          memory,
          replicas,
          refused,
          output,
        });
        const input = new SharedInput();
        return (socket) => new ClientConnection(input.take(socket), whole, () => new JsonDialect(whole));
      },
    });
    this.#replicas = replicas;
  }

  override set limits(limits: Limits) {
    super.limits = limits;
    if (this.#replicas !== null) this.#replicas.limits = limits;
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
