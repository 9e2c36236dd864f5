/**
 * Serves the requests of one client. If a server fails, a read is sent to another server. A write is sent to another
 * server only if the first one has certainly not received it; if that is unknown, the client receives an error. The
 * session's database applies to all servers; a refused USE does not change it.
 */

import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { LineSession } from "../clients/line-dialect.js";
import type { ServerOrder } from "../routing/server-order.js";
import { type StatementKind, statementKind } from "../routing/statement-kind.js";
import { failureFrame } from "../upstream/failure-frame.js";
import { NEW_SESSION, sessionAfter, type UpstreamSession } from "../upstream/upstream-session.js";
import { type AttemptOutcome, attempt } from "./attempts.js";
import type { BalancedServer } from "./balanced-server.js";
import { isNotReady } from "./not-ready.js";
import { RecentWrites } from "./recent-writes.js";
import type { StatementCounts } from "./statement-counts.js";

/** The interval, in milliseconds, at which a statement is retried while no server accepts it yet. */
const RETRY_MS = 100;

export interface BalancerSessionParts {
  readonly order: ServerOrder<BalancedServer>;
  readonly counts: StatementCounts;
  /** The milliseconds for which a session stays on the server that it wrote to. */
  readonly settleTime: number;
  /** Called when a server has answered that it accepts no statements yet. */
  readonly notReady: (server: BalancedServer) => void;
  readonly environment: Environment;
}

export class BalancerSession implements LineSession {
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
