/** The JSON listener: what clients of the replicated memory database connect to. */
import type { Settings } from "../../settings.js";
import { SharedInput } from "../shared-input.js";
import { SocketListener } from "../socket-listener.js";
import type { UserListenerParts } from "../user-listener.js";
import { ANSWER_END, failure } from "./answers.js";
import { JSON_LISTENER, JsonConnection } from "./connection.js";
import { JsonReplicas } from "./replicas.js";

export interface JsonListenerParts extends Omit<UserListenerParts, "daemon"> {
  readonly daemon: { readonly settings: Pick<Settings, "jsonReplicas"> };
}

export class JsonListener extends SocketListener {
  readonly #replicas: JsonReplicas | null;

  constructor(parts: JsonListenerParts) {
    const { path, users, memory, daemon } = parts;
    const { jsonReplicas: places } = daemon.settings;
    const replicas = places.length === 0 ? null : new JsonReplicas({ ...parts, places });
    super({
      ...parts,
      name: JSON_LISTENER,
      options: { address: "--json", port: "--json" },
      fullText: failure("Too many clients.") + ANSWER_END,
      connector(host) {
        const whole = Object.assign(host, { path, users, memory, replicas });
        const input = new SharedInput();
        return (socket) => new JsonConnection(input.take(socket), whole);
      },
    });
    this.#replicas = replicas;
  }

  override async start(): Promise<void> {
    await this.#replicas?.copyMissing();
    await super.start();
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#replicas?.stop();
  }
}
