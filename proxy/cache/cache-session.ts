/**
 * Serves the requests of one client of a cache. Reads are answered from the cache or by the server; the server receives
 * equal reads that arrive together only once. All other statements are forwarded unchanged. Before the client receives
 * the answer to such a statement, the cache removes the stored answers that the statement may have made outdated.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { LineSession } from "../clients/line-dialect.js";
import { type Reach, statementKind } from "../routing/statement-kind.js";
import { failureFrame, mayBeUnknown } from "../upstream/failure-frame.js";
import type { UpstreamOutcome } from "../upstream/statement-outcome.js";
import type { UpstreamServer } from "../upstream/upstream-server.js";
import { NEW_SESSION, sessionAfter, type UpstreamSession } from "../upstream/upstream-session.js";
import type { AnswerStore, Fetched } from "./answer-store.js";
import type { CacheFigures } from "./cache-figures.js";
import { tagsOfRead, tagsOfViews, tagsOfWrite } from "./statement-tags.js";
import { VIEWS, viewNamesIn } from "./view-names.js";

/** The prefix of an answer to a read. A message is never such an answer. */
const RELATION = "RELATION_JSON_PAGE ";

export class CacheSession implements LineSession {
  readonly #server: UpstreamServer;
  readonly #store: AnswerStore<UpstreamOutcome>;
  readonly #figures: CacheFigures;
  readonly #doubtTime: number;
  #session: UpstreamSession = NEW_SESSION;
  /** The prefix of the cache's keys. It prevents a client from receiving an answer for another user or database. */
  #prefix = prefixOf(NEW_SESSION);

  /**
   * Creates a session.
   * @param doubtTime  the milliseconds within which a write whose answer was lost may still be executed
   */
  constructor(
    server: UpstreamServer,
    store: AnswerStore<UpstreamOutcome>,
    figures: CacheFigures,
    doubtTime: number,
  ) {
    this.#server = server;
    this.#store = store;
    this.#figures = figures;
    this.#doubtTime = doubtTime;
  }

  serve(statement: ByteString): ByteString | Promise<ByteString> {
    return this.#store.get(this.#prefix + statement) ?? this.#ask(statement);
  }

  async #ask(statement: ByteString): Promise<ByteString> {
    const kind = statementKind(statement);
    const isRead = kind.kind === "read";
    const outcome = isRead
      ? await this.#read(statement, kind.reach)
      : await this.#forward(statement, kind.kind === "write" ? kind.reach : null);
    if (outcome.kind === "answered") return outcome.frame.bytes;
    const server = this.#server;
    const figures = this.#figures;
    figures.failed++;
    return failureFrame(outcome, server.serverAddress.text, kind.kind !== "write");
  }

  #read(statement: ByteString, reach: Reach): Promise<UpstreamOutcome> {
    const session = this.#session;
    const store = this.#store;
    const stored = store.peek(this.#prefix + VIEWS);
    const known = stored === undefined ? null : viewNamesIn({ bytes: stored, isError: false });
    // Until the views are known, any write to the database invalidates the answer.
    const tags = tagsOfRead(reach, session.database, known);
    return store.fetch(this.#prefix + statement, tags, async () => {
      const answer = this.#askTwice(session, statement);
      if (stored !== undefined || reach.kind !== "tables" || reach.names.size === 0)
        return fetched(await answer, tags);
      const [result, names] = await Promise.all([answer, this.#views()]);
      return fetched(result, tagsOfRead(reach, session.database, names));
    });
  }

  /** Returns the names of the database's views; null if they are not known. */
  async #views(): Promise<ReadonlySet<ByteString> | null> {
    const session = this.#session;
    if (session.database === "") return null;
    const tags = tagsOfViews(session.database);
    const load = async () => fetched(await this.#askTwice(session, VIEWS), tags);
    const outcome = await this.#store.fetch(this.#prefix + VIEWS, tags, load);
    return outcome.kind === "answered" ? viewNamesIn(outcome.frame) : null;
  }

  /** Tries a read twice, because the server may have closed a connection while it was idle. */
  async #askTwice(session: UpstreamSession, statement: ByteString): Promise<UpstreamOutcome> {
    const server = this.#server;
    const outcome = await server.ask(session, statement);
    const isStale = outcome.kind === "failed" && outcome.why === "lost";
    return isStale ? server.ask(session, statement) : outcome;
  }

  /** Forwards a statement. @param reach  the objects that it changes, or null if it changes only its connection */
  async #forward(statement: ByteString, reach: Reach | null): Promise<UpstreamOutcome> {
    const server = this.#server;
    const store = this.#store;
    const figures = this.#figures;
    const doubtTime = this.#doubtTime;
    figures.forwarded++;
    const { database } = this.#session;
    const outcome = await server.ask(this.#session, statement);
    const tags = reach === null ? [] : tagsOfWrite(reach, database);
    if (outcome.kind === "answered") {
      if (mayBeUnknown(outcome.frame.bytes)) store.distrust(tags, doubtTime);
      else store.empty(tags);
      this.#enter(sessionAfter(this.#session, statement, outcome.frame));
    } else if (outcome.reached === "unknown") store.distrust(tags, doubtTime);
    return outcome;
  }

  #enter(session: UpstreamSession): void {
    if (session === this.#session) return;
    this.#session = session;
    this.#prefix = prefixOf(session);
  }
}

function fetched(result: UpstreamOutcome, tags: readonly string[]): Fetched<UpstreamOutcome> {
  const isKept =
    result.kind === "answered" && !result.frame.isError && result.frame.bytes.startsWith(RELATION);
  return { result, keep: isKept ? { answer: result.frame.bytes, tags } : null };
}

/** Returns the prefix for a session. The end of the JSON text shows where the statement begins. */
const prefixOf = ({ login, pages, database }: UpstreamSession): ByteString =>
  JSON.stringify([login, pages, database]);
