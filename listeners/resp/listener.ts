/** The RESP listener: what Redis clients connect to. */

import { Scripts } from "../../engine/scripts/scripts.js";
import { error } from "../../protocol/reply.js";
import { writeReply } from "../../protocol/resp/resp-writer.js";
import { ShortStrings } from "../../protocol/resp/short-strings.js";
import type { FamilyCounts } from "../daemon-listener.js";
import { UserListener, type UserListenerParts } from "../user-listener.js";
import { CommandRoutes } from "./commands/command-routes.js";
import { sessionHandlers } from "./commands/session-handlers.js";
import { type Argv, RespDialect } from "./dialect.js";
import { RESP_LISTENER, type RespHost } from "./resp-host.js";
import { KeyspaceNotices } from "./session/keyspace-notices.js";
import type { Pulse } from "./session/pulse.js";
import { ServerState } from "./session/server-state.js";
import { TrackingTable } from "./session/tracking-table.js";
import { WaitingClients } from "./session/waiting.js";
import { AbsentKeys } from "./session/watched-keys.js";
import { SharedOutput } from "./shared-output.js";

/** Redis's tcp-keepalive. */
const KEEP_ALIVE_SECONDS = 300;
const MILLISECONDS = 1000;

export class RespListener extends UserListener<Argv, RespHost> {
  readonly #pulse: Pulse;
  readonly #counts: ServerState["counts"];
  readonly #keepFunctions: () => Promise<void>;

  constructor(parts: UserListenerParts) {
    const { path, daemon, environment } = parts;
    let id = 0;
    const routes = new CommandRoutes(sessionHandlers, path.uncarried);
    const state = new ServerState(environment, daemon, routes.counts);
    const waiters = new WaitingClients(path, environment);
    const absentKeys = new AbsentKeys(path);
    const { channels } = daemon;
    const notices = new KeyspaceNotices(path.changes, channels);
    notices.flags = daemon.settings.notifyKeyspaceEvents;
    const scripts = new Scripts(environment.uptime);
    const tracking = new TrackingTable(path.changes, (id) => state.clients.find(id));
    const heard = { channels, notices, tracking };
    const shared = { ...heard, scripts, routes, state, waiters, absentKeys };
    const own = { ...shared, strings: new ShortStrings(), output: new SharedOutput(), nextId: () => ++id };
    path.tellOf({
      written(command, argv, db, reply) {
        absentKeys.written(command, argv, db);
        waiters.written(command, argv, db, reply);
      },
      get awaits() {
        return waiters.size > 0;
      },
      sent: (calls, db) => waiters.sent(calls, db),
      changed() {
        absentKeys.changed();
        waiters.changed();
      },
    });
    super(parts, {
      name: RESP_LISTENER,
      fullText: writeReply(error("ERR max number of clients reached")),
      makeServer: (host) => Object.assign(host, own),
      makeDialect: (host, connection) => new RespDialect(host, connection),
      // Finds clients that wait for data here and have disappeared.
      prepare(_, socket) {
        const seconds = state.numberOf("tcp-keepalive", KEEP_ALIVE_SECONDS);
        if (seconds > 0) socket.setKeepAlive(true, seconds * 1000);
      },
    });
    this.#pulse = state.pulse;
    this.#counts = state.counts;
    this.#keepFunctions = async () => {
      const { data } = daemon.settings;
      const { luaMemory: memory, luaTimeLimit: time } = parts.limits;
      const lost = data === null ? null : await scripts.keepFunctions(data, { memory, time, spent: 0 });
      if (lost !== null) parts.log.error(lost, NOT_LOADED);
    };
  }

  override get families(): readonly FamilyCounts[] {
    const families = new Map<string, { calls: number; failed: number; seconds: number }>();
    for (const [{ group }, { calls, failed, milliseconds }] of this.#counts) {
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
    await this.#keepFunctions();
    await super.start();
    this.#pulse.start();
  }

  override async stop(): Promise<void> {
    this.#pulse.stop();
    await super.stop();
  }
}

const NOT_LOADED =
  "libraries of functions that were kept cannot be loaded, and are not there; the next change of libraries replaces the file: mend it or copy it before";
