/** The RESP listener: what Redis clients connect to. */
import { error } from "../../../protocol/reply.js";
import { writeReply } from "../../../protocol/resp-writer.js";
import { ShortStrings } from "../../../protocol/short-strings.js";
import type { CommandPath } from "../../command-path.js";
import type { MemoryFace } from "../../memory-limit.js";
import type { Users } from "../../users.js";
import { SocketListener, type SocketListenerParts } from "../socket-listener.js";
import { CommandRoutes } from "./command-routes.js";
import { RESP_LISTENER, RespConnection } from "./connection.js";
import type { DaemonFace } from "./daemon-face.js";
import { ServerState } from "./server-state.js";
import { sessionHandlers } from "./session-handlers.js";
import { SharedInput } from "./shared-input.js";
import { WaitingClients } from "./waiting.js";

export interface RespParts extends Omit<SocketListenerParts, "name" | "options" | "fullText" | "connector"> {
  readonly path: CommandPath;
  readonly users: Users;
  readonly daemon: DaemonFace;
  readonly memory: MemoryFace;
}

export class RespListener extends SocketListener {
  constructor(parts: RespParts) {
    const { path, users, memory, daemon, environment } = parts;
    let id = 0;
    const routes = new CommandRoutes(sessionHandlers);
    const state = new ServerState(environment, daemon, routes.counts);
    const waiters = new WaitingClients(path, environment);
    const shared = { path, users, memory, routes, state, waiters, strings: new ShortStrings() };
    const own = { ...shared, nextId: () => ++id };
    path.tellOf({
      written: (command, argv, db) => waiters.written(command, argv, db),
      changed: () => waiters.changed(),
    });
    super({
      ...parts,
      name: RESP_LISTENER,
      options: { address: "--resp", port: "--resp" },
      fullText: writeReply(error("ERR max number of clients reached")),
      connector(host) {
        const whole = Object.assign(host, own);
        const input = new SharedInput();
        return (socket) => new RespConnection(input.take(socket), whole);
      },
    });
  }
}
