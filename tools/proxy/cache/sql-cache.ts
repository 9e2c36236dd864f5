/** A cache of recent reads between clients of the SQL line protocol and one server. */
import type { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { ListenAddress } from "../../../daemon/net/process/host-and-port.js";
import type { Service } from "../../../daemon/net/process/service.js";
import type { SqlFrame } from "../../../faces/sql/bytes/sql-frames.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  type ClientLimits,
  LineListener,
  type LineObserver,
  type LineSession,
} from "../clients/line-listener.js";
import { type AffectedObjects, statementKind } from "../routing/statement-kind.js";
import type { UpstreamAddress } from "../upstream/server-address.js";
import {
  failureFrame,
  mayHaveUnknownOutcome,
  NEW_SESSION,
  sessionAfter,
  type UpstreamLimits,
  type UpstreamOutcome,
  type UpstreamSession,
} from "../upstream/upstream-connection.js";
import { UpstreamServer } from "../upstream/upstream-server.js";
import {
  AnswerStore,
  type CacheFigures,
  type CacheLimits,
  emptyFigures,
  type Fetched,
} from "./answer-store.js";

export interface SqlCacheParts {
  readonly serverAddress: UpstreamAddress;
  /** The address to listen on: an IP address, not a name. */
  readonly address: string;
  /** The port; 0: any free one. */
  readonly port: number;
  readonly cacheLimits: CacheLimits;
  readonly clientLimits: ClientLimits;
  readonly upstreamLimits: UpstreamLimits;
  /** The class from the package lru-cache, which is loaded only for a cache. */
  readonly Lru: typeof LRUCache;
  readonly observer: LineObserver;
  readonly environment: Environment;
  readonly log: Logger;
}

export class SqlCache implements Service {
  readonly figures: CacheFigures = emptyFigures();
  readonly #parts: SqlCacheParts;
  readonly #server: UpstreamServer;
  readonly #store: AnswerStore<UpstreamOutcome>;
  readonly #listener: LineListener;

  constructor(parts: SqlCacheParts) {
    const { serverAddress, environment, log, Lru, cacheLimits: limits, upstreamLimits } = parts;
    const { figures } = this;
    this.#parts = parts;
    this.#server = new UpstreamServer(serverAddress, upstreamLimits, environment, log);
    this.#store = new AnswerStore(Lru, limits, figures, environment.uptime);
    // A write whose answer was lost may still be executed until the reply timeout. The time is at least the lifetime of
    // stored answers, during which they may be out of date in any case.
    const distrustMs = Math.max(limits.life, upstreamLimits.replyTimeout);

    this.#listener = new LineListener({
      address: parts.address,
      port: parts.port,
      limits: parts.clientLimits,
      environment,
      log,
      observer: parts.observer,
      makeSession: () => new CacheSession(this.#server, this.#store, figures, distrustMs),
    });
  }

  /** The address on which the cache listens. */
  get address(): ListenAddress {
    return this.#listener.address;
  }

  get serverAddress(): string {
    return this.#parts.serverAddress.text;
  }

  /** Whether the server answers, as far as the cache knows. */
  get isUp(): boolean {
    return this.#server.isUp;
  }

  /** The last failure, such as the reason why the server does not answer, or null if there was none. */
  get reason(): string | null {
    const failure = this.#server.lastFailure;
    return failure === null ? null : `${failure.why} ${failure.detail}`.trim();
  }

  get waiting(): number {
    return this.#store.waiting;
  }

  get bufferedBytes(): number {
    return this.#listener.bufferedBytes;
  }

  get entries(): number {
    return this.#store.entries;
  }

  get bytes(): number {
    return this.#store.bytes;
  }

  async start(): Promise<void> {
    await this.#listener.start();
    this.#server.start();
    const { address, port } = this.address;
    this.#parts.log.info({ address, port, upstream: this.#parts.serverAddress.text }, "listening");
  }

  async stop(): Promise<void> {
    await this.#listener.stop();
    this.#server.stop();
    this.#parts.log.info(this.figures, "statistics of the cache");
  }
}

/** The prefix of an answer to a read. A message is never such an answer. */
const RELATION = "RELATION_JSON_PAGE ";

/**
 * The session of one client of a cache. Reads are answered from the cache or by the server; the server receives equal
 * reads that arrive together only once. All other statements are forwarded unchanged. Before the client receives the
 * answer to such a statement, the cache removes the stored answers that the statement may have made outdated.
 */
class CacheSession implements LineSession {
  readonly #server: UpstreamServer;
  readonly #store: AnswerStore<UpstreamOutcome>;
  readonly #figures: CacheFigures;
  readonly #distrustMs: number;
  #session: UpstreamSession = NEW_SESSION;
  /** The prefix of the cache's keys. It prevents a client from receiving an answer for another user or database. */
  #prefix = prefixOf(NEW_SESSION);

  /**
   * Creates a session.
   * @param distrustMs  the milliseconds within which a write whose answer was lost may still be executed
   */
  constructor(
    server: UpstreamServer,
    store: AnswerStore<UpstreamOutcome>,
    figures: CacheFigures,
    distrustMs: number,
  ) {
    this.#server = server;
    this.#store = store;
    this.#figures = figures;
    this.#distrustMs = distrustMs;
  }

  serve(statement: ByteString): ByteString | Promise<ByteString> {
    return this.#store.get(this.#prefix + statement) ?? this.#execute(statement);
  }

  async #execute(statement: ByteString): Promise<ByteString> {
    const kind = statementKind(statement);
    const isRead = kind.kind === "read";
    const outcome = isRead
      ? await this.#read(statement, kind.affected)
      : await this.#forward(statement, kind.kind === "write" ? kind.affected : null);
    if (outcome.kind === "answered") return outcome.frame.bytes;
    const server = this.#server;
    const figures = this.#figures;
    figures.failed++;
    return failureFrame(outcome, server.serverAddress.text, kind.kind !== "write");
  }

  #read(statement: ByteString, affected: AffectedObjects): Promise<UpstreamOutcome> {
    const session = this.#session;
    const store = this.#store;
    const stored = store.peek(this.#prefix + VIEWS);
    const known = stored === undefined ? null : viewNamesIn({ bytes: stored, isError: false });
    // Until the views are known, any write to the database invalidates the answer.
    const tags = tagsOfRead(affected, session.database, known);

    return store.fetch(this.#prefix + statement, tags, async () => {
      const answer = this.#executeWithRetry(session, statement);
      if (stored !== undefined || affected.kind !== "tables" || affected.names.size === 0)
        return fetched(await answer, tags);
      const [result, names] = await Promise.all([answer, this.#views()]);
      return fetched(result, tagsOfRead(affected, session.database, names));
    });
  }

  /** Returns the names of the database's views; null if they are not known. */
  async #views(): Promise<ReadonlySet<ByteString> | null> {
    const session = this.#session;
    if (session.database === "") return null;
    const tags = tagsOfViews(session.database);
    const load = async () => fetched(await this.#executeWithRetry(session, VIEWS), tags);
    const outcome = await this.#store.fetch(this.#prefix + VIEWS, tags, load);
    return outcome.kind === "answered" ? viewNamesIn(outcome.frame) : null;
  }

  /** Tries a read twice, because the server may have closed a connection while it was idle. */
  async #executeWithRetry(session: UpstreamSession, statement: ByteString): Promise<UpstreamOutcome> {
    const server = this.#server;
    const outcome = await server.execute(session, statement);
    const isStale = outcome.kind === "failed" && outcome.why === "lost";
    return isStale ? server.execute(session, statement) : outcome;
  }

  /** Forwards a statement. @param affected  the objects that it changes, or null if it changes only its connection */
  async #forward(statement: ByteString, affected: AffectedObjects | null): Promise<UpstreamOutcome> {
    const server = this.#server;
    const store = this.#store;
    const figures = this.#figures;
    const distrustMs = this.#distrustMs;

    figures.forwarded++;
    const { database } = this.#session;
    const outcome = await server.execute(this.#session, statement);
    const tags = affected === null ? [] : tagsOfWrite(affected, database);

    if (outcome.kind === "answered") {
      if (mayHaveUnknownOutcome(outcome.frame.bytes)) store.distrust(tags, distrustMs);
      else store.empty(tags);
      this.#enter(sessionAfter(this.#session, statement, outcome.frame));
    } else if (outcome.reached === "unknown") store.distrust(tags, distrustMs);
    return outcome;
  }

  #enter(session: UpstreamSession): void {
    if (session === this.#session) return;
    this.#session = session;
    this.#prefix = prefixOf(session);
  }
}

function fetched(result: UpstreamOutcome, tags: readonly string[]): Fetched<UpstreamOutcome> {
  const isCacheable =
    result.kind === "answered" && !result.frame.isError && result.frame.bytes.startsWith(RELATION);
  return { result, entry: isCacheable ? { answer: result.frame.bytes, tags } : null };
}

/** Returns the prefix for a session. The end of the JSON text shows where the statement begins. */
const prefixOf = ({ login, pages, database }: UpstreamSession): ByteString =>
  JSON.stringify([login, pages, database]);

/** The statement that lists views, which dbsyncd and the original support. */
const VIEWS = "asehoy ny jery";
const PAGE = /^RELATION_JSON_PAGE .*\n(.*)$/gm;

/** Returns the names in a frame; null if it contains none. */
function viewNamesIn({ bytes, isError }: SqlFrame): ReadonlySet<ByteString> | null {
  if (isError) return null;
  const names = new Set<ByteString>();
  let pages = 0;

  for (const [, page = ""] of bytes.matchAll(PAGE)) {
    const rows = rowsOf(page);
    if (rows === null) return null;
    pages++;
    for (const row of rows) {
      const [name] = Array.isArray(row) ? row : [];
      if (typeof name !== "string") return null;
      names.add(name);
    }
  }
  return pages === 0 ? null : names;
}

/** Returns the rows of a page. @param page  the bytes of a page, whose JSON does not escape non-ASCII characters */
function rowsOf(page: ByteString): readonly unknown[] | null {
  try {
    const { rows } = JSON.parse(page) as { rows?: unknown };
    return Array.isArray(rows) ? rows : null;
  } catch {
    return null;
  }
}

/** The tag of all answers. A statement that may have changed any data removes all of them. */
const SERVER = "server";
/** The tag of answers whose data are unknown. Any write removes them. */
const ANY_WRITE = "any write";
/** Returns the tag of a database's answers that depend on its objects: its tables, views and domains. */
const database = (name: ByteString) => `database ${name}`;
/** Returns the tag of a database's answers that any write to one of its tables may change. */
const anyTable = (name: ByteString) => `tables of ${name}`;
/** Returns the tag of a table. Names contain no spaces. */
const table = (name: ByteString, of: ByteString) => `table ${of} ${name}`;

/** Returns the tags of the list of a database's views. */
const tagsOfViews = (name: ByteString): readonly string[] => [SERVER, database(name)];

/**
 * Returns the tags of the answer to a read.
 * @param views  the names of the database's views, which may depend on any of its tables, or null if not known
 */
function tagsOfRead(
  affected: AffectedObjects,
  name: ByteString,
  views: ReadonlySet<ByteString> | null,
): readonly string[] {
  switch (affected.kind) {
    case "server":
      return [SERVER, ANY_WRITE];
    case "database":
      return [SERVER, database(name), anyTable(name)];
    case "tables": {
      const names = [...affected.names];
      if (names.length === 0) return [SERVER];
      const isKnown = views !== null && !names.some((each) => views.has(each));
      const tables = isKnown ? names.map((each) => table(each, name)) : [anyTable(name)];
      return [SERVER, database(name), ...tables];
    }
  }
}

/** Returns the tags of the data that a write changes. The tag of the server means all data. */
function tagsOfWrite(affected: AffectedObjects, name: ByteString): readonly string[] {
  switch (affected.kind) {
    case "server":
      return [SERVER];
    case "database":
      return [database(name), ANY_WRITE];
    case "tables":
      return [...[...affected.names].map((each) => table(each, name)), anyTable(name), ANY_WRITE];
  }
}
