/** The JSON listener: what clients of the replicated memory database connect to. */
import { SocketListener } from "../socket-listener.js";
import type { UserListenerParts } from "../user-listener.js";
import { failure } from "./answers.js";
import { ANSWER_END, JSON_LISTENER, JsonConnection } from "./connection.js";

export class JsonListener extends SocketListener {
  constructor(parts: Omit<UserListenerParts, "daemon">) {
    const { path, users, memory } = parts;
    super({
      ...parts,
      name: JSON_LISTENER,
      options: { address: "--json", port: "--json" },
      fullText: failure("Too many clients.") + ANSWER_END,
      connector(host) {
        const whole = Object.assign(host, { path, users, memory });
        return (socket) => new JsonConnection(socket, whole);
      },
    });
  }
}
