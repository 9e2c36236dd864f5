/** The RESP listener, to which Redis clients connect. */
import type { FamilyCounts } from "../../daemon/listener/daemon-listener.js";
import { error } from "../../protocol/reply.js";
import { writeReply } from "../../protocol/resp/resp-writer.js";
import { UserListener, type UserListenerParts } from "../users/user-listener.js";
import { CommandRoutes } from "./commands/command-routes.js";
import { sessionHandlers } from "./commands/session-handlers.js";
import { type Argv, RESP_LISTENER, RespDialect, SharedOutput } from "./resp-dialect.js";
import { RespServer } from "./session/resp-server.js";

/** Redis's default for tcp-keepalive, in seconds. */
const KEEP_ALIVE_SECONDS = 300;
const MILLISECONDS = 1000;

export class RespListener extends UserListener<Argv, RespServer> {
  constructor(parts: UserListenerParts) {
    const { path, daemon } = parts;
    const routes = new CommandRoutes(sessionHandlers, path.unsupported);
    const output = new SharedOutput();
    super(parts, {
      name: RESP_LISTENER,
      fullText: writeReply(error("ERR max number of clients reached")),
      makeServer: (host) => new RespServer(host, daemon, routes.counts),
      makeDialect: (server, connection) => new RespDialect(server, routes, output, connection),
      // Detects lost clients among those that wait for data.
      prepare(server, socket) {
        const seconds = server.numberOf("tcp-keepalive", KEEP_ALIVE_SECONDS);
        if (seconds > 0) socket.setKeepAlive(true, seconds * 1000);
      },
    });
  }

  override get families(): readonly FamilyCounts[] {
    const families = new Map<string, { calls: number; failed: number; seconds: number }>();
    for (const [{ group }, { calls, failed, milliseconds }] of this.server.counts) {
      if (calls === 0) continue;
      const sums = families.get(group) ?? { calls: 0, failed: 0, seconds: 0 };
      sums.calls += calls;
      sums.failed += failed;
      sums.seconds += milliseconds / MILLISECONDS;
      families.set(group, sums);
    }
    return [...families].map(([family, sums]) => ({ family, ...sums }));
  }

  override async start(): Promise<void> {
    await this.#persistFunctions();
    await super.start();
    this.server.load.start();
  }

  override async stop(): Promise<void> {
    this.server.load.stop();
    await super.stop();
  }

  async #persistFunctions(): Promise<void> {
    const { daemon, host, scripts } = this.server;
    const { data } = daemon.settings;
    const { luaMemory: memory, luaTimeLimit: time } = host.limits;
    const lost = data === null ? null : await scripts.persistFunctions(data, { memory, time, spent: 0 });
    if (lost !== null) host.log.error(lost, NOT_LOADED);
  }
}

const NOT_LOADED =
  "the stored function libraries cannot be loaded, and are missing; the next change of a library replaces the file: repair or copy it first";
