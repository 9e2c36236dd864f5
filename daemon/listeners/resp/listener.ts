/** The RESP listener: what Redis clients connect to. */
import { error } from "../../../protocol/reply.js";
import { writeReply } from "../../../protocol/resp-writer.js";
import { ShortStrings } from "../../../protocol/short-strings.js";
import { SharedInput } from "../shared-input.js";
import { SocketListener } from "../socket-listener.js";
import type { UserListenerParts } from "../user-listener.js";
import { CommandRoutes } from "./command-routes.js";
import { RESP_LISTENER, RespConnection } from "./connection.js";
import { ServerState } from "./server-state.js";
import { sessionHandlers } from "./session-handlers.js";
import { SharedOutput } from "./shared-output.js";
import { WaitingClients } from "./waiting.js";
import { AbsentKeys } from "./watched-keys.js";

export class RespListener extends SocketListener {
  constructor(parts: UserListenerParts) {
    const { path, users, memory, daemon, environment } = parts;
    let id = 0;
    const routes = new CommandRoutes(sessionHandlers);
    const state = new ServerState(environment, daemon, routes.counts);
    const waiters = new WaitingClients(path, environment);
    const absentKeys = new AbsentKeys(path);
    const shared = { path, users, memory, routes, state, waiters, absentKeys };
    const own = { ...shared, strings: new ShortStrings(), output: new SharedOutput(), nextId: () => ++id };
    path.tellOf({
      written(command, argv, db) {
        absentKeys.written(command, argv, db);
        waiters.written(command, argv, db);
      },
      changed() {
        absentKeys.changed();
        waiters.changed();
      },
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
