/** The balancer between clients and servers, its clients' sessions, and the counters of its servers. */
import type { Logger } from "pino";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { ListenAddress } from "../../../daemon/net/process/host-and-port.js";
import type { Service } from "../../../daemon/net/process/service.js";
import { ERROR_HEAD } from "../../../faces/sql/bytes/sql-frames.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  type ClientLimits,
  LineListener,
  type LineObserver,
  type LineSession,
} from "../clients/line-listener.js";
import { type OrderedServer, ServerOrder } from "../routing/server-order.js";
import { type StatementKind, statementKind } from "../routing/statement-kind.js";
import type { BalancerSettings, ServerSettings } from "../settings/balancer-settings.js";
import {
  failureFrame,
  NEW_SESSION,
  sessionAfter,
  type UpstreamAnswer,
  type UpstreamFailure,
  type UpstreamLimits,
  type UpstreamSession,
} from "../upstream/upstream-connection.js";
import { UpstreamServer } from "../upstream/upstream-server.js";

export interface BalancerParts {
  readonly settings: BalancerSettings;
  readonly limits: { readonly clients: ClientLimits; readonly servers: UpstreamLimits };
  readonly observer: LineObserver;
  readonly environment: Environment;
  readonly log: Logger;
}

export class Balancer implements Service {
  readonly servers: readonly BalancedServer[];
  readonly counts = new StatementCounts();
  readonly #parts: BalancerParts;
  readonly #listener: LineListener;

  constructor(parts: BalancerParts) {
    const { settings, limits, observer, environment, log } = parts;
    this.#parts = parts;
    this.servers = settings.servers.map((server) => this.#serverOf(server));

    const { routing, settleTime } = settings;
    const order = new ServerOrder(this.servers, {
      readsByRendezvous: routing.reads === "RENDEZVOUS",
      writesToFirst: routing.writes === "SINGLE_PRIMARY",
      partition: routing.partition,
      hash: routing.hash,
    });

    const { counts } = this;
    const notReady = (server: BalancedServer) => this.#markSettling(server);
    this.#listener = new LineListener({
      ...settings.listen,
      limits: limits.clients,
      observer,
      environment,
      log,
      makeSession: () => new BalancerSession({ order, counts, settleTime, notReady, environment }),
    });
  }

  /** The address for clients. */
  get address(): ListenAddress {
    return this.#listener.address;
  }

  get bufferedBytes(): number {
    return this.#listener.bufferedBytes;
  }

  async start(): Promise<void> {
    await this.#listener.start();
    for (const { upstream } of this.servers) upstream.start();

    const { address, port } = this.address;
    const servers = this.servers.map(({ id, upstream: { serverAddress } }) =>
      id === serverAddress.text ? id : `${id}=${serverAddress.text}`,
    );

    const { log, settings } = this.#parts;
    log.info({ address, port, servers }, "listening");
    if (settings.replicates && servers.length > 1)
      log.warn(
        "the file enables replication: the servers must replicate writes themselves, like dbsyncd --peer",
      );
  }

  async stop(): Promise<void> {
    await this.#listener.stop();
    for (const { upstream } of this.servers) upstream.stop();
  }

  #serverOf(settings: ServerSettings): BalancedServer {
    const { environment, log, limits } = this.#parts;
    const { readRoles } = this.#parts.settings.routing;
    const upstream = new UpstreamServer(
      settings.serverAddress,
      limits.servers,
      environment,
      log,
      ({ isUp }) => {
        if (isUp) this.#markSettling(server);
      },
    );

    const server = new BalancedServer(settings, readRoles.includes(settings.role), upstream);
    return server;
  }

  /** Avoids a server that was down, because it needs some time to receive the missed writes from the other servers. */
  #markSettling(server: BalancedServer): void {
    const { environment, settings } = this.#parts;
    server.freshFrom = environment.uptime() + settings.settleTime;
  }
}

/** The interval, in milliseconds, at which a statement is retried while no server accepts it yet. */
const RETRY_MS = 100;

interface BalancerSessionParts {
  readonly order: ServerOrder<BalancedServer>;
  readonly counts: StatementCounts;
  /** The milliseconds for which a session stays on the server that it wrote to. */
  readonly settleTime: number;
  /** Called when a server has answered that it accepts no statements yet. */
  readonly notReady: (server: BalancedServer) => void;
  readonly environment: Environment;
}

/**
 * The session of one client. If a server fails, a read is sent to another server. A write is sent to another server
 * only if the first one has certainly not received it; if that is unknown, the client receives an error. The session's
 * database applies to all servers; a refused USE does not change it.
 */
class BalancerSession implements LineSession {
  readonly #parts: BalancerSessionParts;
  readonly #recent = new RecentWrites();
  #session: UpstreamSession = NEW_SESSION;

  constructor(parts: BalancerSessionParts) {
    this.#parts = parts;
  }

  async serve(statement: ByteString): Promise<ByteString> {
    const { counts } = this.#parts;
    const kind = statementKind(statement);
    counts.statements[kind.kind]++;
    const isRepeatable = kind.kind !== "write";
    const servers = this.#serversFor(kind, statement);
    const result = await this.#executeUntilReady(servers, statement, isRepeatable);
    if (result.tries > 1 && result.kind === "answered") {
      if (isRepeatable) counts.retried++;
      else counts.moved++;
    }
    return result.kind === "answered" ? this.#answered(kind, statement, result) : this.#failed(kind, result);
  }

  /** Retries a statement while reconnecting daemons temporarily accept no writes. */
  async #executeUntilReady(
    servers: readonly BalancedServer[],
    statement: ByteString,
    isRepeatable: boolean,
  ): Promise<AttemptOutcome> {
    const { notReady, environment, settleTime } = this.#parts;
    const deadline = environment.uptime() + settleTime;
    for (;;) {
      const result = await attempt({ servers, session: this.#session, statement, isRepeatable, notReady });
      const isOver = result.kind !== "answered" || !isNotReady(result) || environment.uptime() >= deadline;
      if (isOver) return result;
      await new Promise<void>((resolve) => void environment.setTimer(RETRY_MS, resolve));
    }
  }

  #serversFor(kind: StatementKind, statement: ByteString): readonly BalancedServer[] {
    const { order, environment } = this.#parts;
    const now = environment.uptime();
    const found = order.of(kind, statement, this.#session.database);
    const before = this.#recent.serverOf(this.#databaseOf(kind), now);
    const isFresh = (server: BalancedServer) => server === before || server.freshFrom <= now;
    const others = found.filter((server) => server !== before);
    const ordered = before === null ? others : [before, ...others];
    return [...ordered.filter(isFresh), ...ordered.filter((server) => !isFresh(server))];
  }

  /** Returns the database that a statement concerns, or null for all databases. */
  #databaseOf(kind: StatementKind): ByteString | null {
    if (kind.kind === "use") return kind.database;
    if (kind.kind === "write" && kind.object?.kind === "database") return kind.object.name;
    return kind.kind === "read" && kind.affected.kind === "server" ? null : this.#session.database;
  }

  #answered(
    kind: StatementKind,
    statement: ByteString,
    { frame, server }: Extract<AttemptOutcome, { kind: "answered" }>,
  ): ByteString {
    if (kind.kind === "write") {
      const { settleTime, environment } = this.#parts;
      const until = environment.uptime() + settleTime;
      if (!frame.isError) this.#recent.note(this.#databaseOf(kind) ?? "", { server, until });
    }
    // A server may interpret a statement as a USE that this program does not recognize (`ampiasaotoko`).
    // The server's answer then names the chosen database.
    this.#session = sessionAfter(this.#session, statement, frame);
    return frame.bytes;
  }

  #failed(
    kind: StatementKind,
    { server, ...failure }: Extract<AttemptOutcome, { kind: "failed" }>,
  ): ByteString {
    const { counts } = this.#parts;
    const isRepeatable = kind.kind !== "write";
    if (failure.reached === "unknown" && !isRepeatable) counts.unknown++;
    else counts.unreached++;
    return failureFrame(failure, server.id, isRepeatable);
  }
}

/** The maximum number of databases for which a session's last write is remembered. */
const DATABASES_MAX = 64;

interface Write {
  readonly server: BalancedServer;
  /** The time until which statements are sent to this server, in `uptime` milliseconds. */
  readonly until: number;
}

/**
 * The servers to which a session has written recently. Until the servers have replicated a write, the session's next
 * statements are sent to the server that executed the write.
 */
class RecentWrites {
  /** The writes by database; the newest is last. */
  readonly #writes = new Map<ByteString, Write>();

  note(database: ByteString, write: Write): void {
    this.#writes.delete(database);
    this.#writes.set(database, write);
    const [oldest] = this.#writes.keys();
    if (this.#writes.size > DATABASES_MAX && oldest !== undefined) this.#writes.delete(oldest);
  }

  /**
   * Returns the server of the last write if that write is recent; otherwise null.
   * @param database  the database of the write, or null for the last write to any database
   */
  serverOf(database: ByteString | null, now: number): BalancedServer | null {
    const write = database === null ? [...this.#writes.values()].at(-1) : this.#writes.get(database);
    return write !== undefined && now < write.until ? write.server : null;
  }
}

interface Attempt {
  readonly servers: readonly BalancedServer[];
  readonly session: UpstreamSession;
  readonly statement: ByteString;
  /** Whether the statement changes nothing on servers. It may then be retried after any outcome. */
  readonly isRepeatable: boolean;
  /** Called when a server has answered that it accepts no statements yet. */
  readonly notReady: (server: BalancedServer) => void;
}

/** The outcome on the last server that was tried. */
type AttemptOutcome =
  | (UpstreamAnswer & { readonly server: BalancedServer; readonly tries: number })
  | (UpstreamFailure & { readonly server: BalancedServer; readonly tries: number });

/** The failures that are due to the statement, which would therefore fail on every server. */
const OF_STATEMENT: ReadonlySet<UpstreamFailure["why"]> = new Set(["too-long"]);

/** Tries the servers. @param attempt  must have at least one server */
async function attempt({ servers, session, statement, ...rules }: Attempt): Promise<AttemptOutcome> {
  const { isRepeatable, notReady } = rules;
  let tries = 0;
  let notYet: (UpstreamAnswer & { readonly server: BalancedServer }) | null = null;
  for (const server of servers) {
    tries++;
    const outcome = await server.upstream.execute(session, statement);
    if (outcome.kind === "answered") {
      server.answered++;
      const isReady = !isNotReady(outcome);
      if (!isReady) {
        notReady(server);
        notYet = { ...outcome, server };
      }
      // If one server does not know the session's database yet, another one may know it.
      const isAnswer = isReady && !outcome.isOfSession;
      if (isAnswer || tries === servers.length) return { ...outcome, server, tries };
      continue;
    }

    if (outcome.reached === "no") server.unreached++;
    else server.unknown++;
    const isOver = OF_STATEMENT.has(outcome.why) || (outcome.reached === "unknown" && !isRepeatable);
    if (isOver) return { ...outcome, server, tries };
    // The answer of a server that will soon accept statements is preferable to the failure of an unreachable one.
    if (tries === servers.length) return { ...(notYet ?? { ...outcome, server }), tries };
  }
  throw new Error("there is no server");
}

/** The numbers of a balancer's statements, for metrics. */
export class StatementCounts {
  readonly statements: Record<StatementKind["kind"], number> = { read: 0, write: 0, use: 0, connection: 0 };
  /** The number of reads that a server other than the first one answered. */
  retried = 0;
  /** The number of writes that were sent to another server because the previous one had certainly not received them. */
  moved = 0;
  /** The number of writes whose outcome is unknown. */
  unknown = 0;
  /** The number of statements that could not be sent to any server. */
  unreached = 0;
}

const NOT_READY = `RESULT_MESSAGE\n${ERROR_HEAD}LOADING `;

/**
 * Detects the error of a dbsyncd that may be missing recent writes, because it or its peers are reconnecting. The
 * daemon has not executed the statement.
 */
const isNotReady = ({ frame }: UpstreamAnswer): boolean => frame.bytes.startsWith(NOT_READY);

/** One of a balancer's servers, with its counters. */
export class BalancedServer implements OrderedServer {
  readonly id: string;
  readonly isReadable: boolean;
  readonly isWritable: boolean;
  readonly upstream: UpstreamServer;
  /** The number of statements that this server has answered. */
  answered = 0;
  /** The number of statements that are known not to have reached this server. */
  unreached = 0;
  /** The number of statements whose outcome on this server is unknown. */
  unknown = 0;
  /**
   * The time, in `uptime` milliseconds, from which this server is used like the other servers. Before that time,
   * recent writes may be missing on it, because it was down.
   */
  freshFrom = 0;

  constructor({ id, role }: ServerSettings, isReadable: boolean, upstream: UpstreamServer) {
    this.id = id;
    this.isReadable = isReadable;
    this.isWritable = role === "MASTER";
    this.upstream = upstream;
  }

  get isUp(): boolean {
    return this.upstream.isUp;
  }
}
