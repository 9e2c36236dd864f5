/**
 * Writes before servers that tell each other nothing. Each write has a number and stands in a journal on disk before it is sent; one server
 * answers it, then all others that are there are sent it, before the next write begins. So all that are there hold the same. Who was away is
 * brought to where the others are, and is asked for nothing until then.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Environment } from "../../serving/process/environment.js";
import type { BalancedServer } from "../servers/balanced-server.js";
import { failed, type UpstreamAnswer, type UpstreamFailure } from "../upstream/outcome.js";
import type { UpstreamSession } from "../upstream/session.js";
import { type CatchingUpParts, catchUp } from "./catching-up.js";
import { type DoubtParts, doubtTheLast, keepDigest, settleAmongAll } from "./doubts.js";
import type { JournalFile } from "./journal-file.js";
import { type JournalEntry, type JournalRecord, JournalState } from "./journal-state.js";
import type { ReplicationLog } from "./replication-log.js";

/** Milliseconds between two looks at who was away. */
const LOOK_MS = 200;
const MIB = 1024 * 1024;
/** A journal of more is made short when all servers have all of it. */
const SHORTENED_BYTES = 4 * MIB;

export interface ReplicatorParts {
  readonly servers: readonly BalancedServer[];
  readonly file: JournalFile;
  readonly log: ReplicationLog;
  /** Milliseconds after which a server has taken whatever was on its way to it. */
  readonly settleTime: number;
  /** After which a statement is given up, which a server may still be at. */
  readonly replyTimeout: number;
  /** Of the journal: whoever is so far behind is left alone, or it would grow for ever. */
  readonly mostBytes: number;
  readonly environment: Pick<Environment, "uptime" | "setTimer">;
}

/** Whom a write was answered by, and what with; or why not. */
export type Written = (UpstreamAnswer & { readonly server: BalancedServer }) | UpstreamFailure;

export class Replicator {
  readonly #parts: ReplicatorParts;
  readonly #state: JournalState;
  readonly #catchingUp: CatchingUpParts;
  readonly #doubts: DoubtParts;
  /** Settles when the writes before are done. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Who is being brought along. */
  readonly #tended = new Map<BalancedServer, Promise<void>>();
  /** `uptime` milliseconds, of those that something hindered. */
  readonly #retryFrom = new Map<BalancedServer, number>();
  #cancelLook: (() => void) | null = null;
  #isStopped = false;
  /** Before that nobody knows who holds what. */
  #isStarted = false;
  /** Whether the disk has failed: what is not in the journal must not be sent. */
  #isBroken = false;

  constructor(parts: ReplicatorParts) {
    this.#parts = parts;
    this.#state = new JournalState(parts.servers.map(({ id }) => id));
    this.#doubts = {
      ...{ state: this.#state, servers: parts.servers, environment: parts.environment },
      record: (record) => this.#record(record),
      complete: () => this.#complete(),
    };
    this.#catchingUp = {
      ...{ state: this.#state, file: parts.file, log: parts.log },
      record: (record) => this.#record(record),
      alone: (step) => this.#alone(step),
      settle: () => this.#settle(),
      lost: (server, failure) => this.#leaveAlone(server, failure),
      isStopped: () => this.#isStopped,
      complete: () => this.#complete()[0] ?? null,
    };
  }

  /** @throws StartError */
  async start(): Promise<void> {
    const { file, servers } = this.#parts;
    const records = await file.open();
    for (const record of records) this.#state.take(record);
    if (records.length === 0) this.#record({ is: "base", n: 0, servers: servers.map(({ id }) => id) });
    await file.sync();
    doubtTheLast(this.#doubts);
    for (const server of servers) this.#giveUpUnlessReached(server);
    await file.sync();
    this.#isStarted = true;
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelLook?.();
    await this.#turn;
    await Promise.all(this.#tended.values());
    if (!this.#isBroken) await this.#parts.file.close();
  }

  /** Whether it holds all writes. */
  isComplete(server: BalancedServer): boolean {
    return this.#isStarted && this.#state.isComplete(server.id) && !this.#tended.has(server);
  }

  /** How many writes it lacks. */
  lagOf(server: BalancedServer): number {
    return this.#state.last - this.#state.appliedOf(server.id);
  }

  get journalBytes(): number {
    return this.#parts.file.bytes;
  }

  /** Whether it holds something else than the others. */
  isDiverged(server: BalancedServer): boolean {
    return this.#state.isDiverged(server.id);
  }

  /** @param order  who is to answer, the best first; those that lack anything are left out */
  async write(
    session: UpstreamSession,
    statement: ByteString,
    order: readonly BalancedServer[],
  ): Promise<Written> {
    try {
      return await this.#alone(() => this.#write({ ...session, pages: "" }, statement, order));
    } catch (problem) {
      this.#break(problem as Error);
      return failed("lost", "unknown", "");
    }
  }

  async #write(
    session: UpstreamSession,
    statement: ByteString,
    order: readonly BalancedServer[],
  ): Promise<Written> {
    if (this.#isBroken) return failed("down", "no", "the journal cannot be written");
    if (this.#state.open !== null && !(await this.#settle()))
      return failed("down", "no", "what became of an earlier write is not known yet");
    // Behind the next write it could not be found out any more who has the last one.
    if (!(await keepDigest(this.#doubts)))
      return failed("down", "no", "whether a server has the last write is not known yet");
    const written = await this.#ask(this.#state.last + 1, session, statement, order);
    await this.#shorten();
    return written;
  }

  async #ask(
    n: number,
    session: UpstreamSession,
    statement: ByteString,
    order: readonly BalancedServer[],
  ): Promise<Written> {
    let last = failed("down", "no", "");
    // Of one that is asked anew: somebody may have it.
    let isUnknown = this.#parts.servers.some(({ id }) => this.#state.doubtOf(id)?.n === n);
    for (const server of order) {
      if (!server.isUp || !this.isComplete(server)) continue;
      this.#record({ is: "write", n, server: server.id, session, statement });
      await this.#parts.file.sync();
      const outcome = await server.upstream.ask(session, statement);
      if (outcome.kind === "answered") {
        await this.#answered(n, server, outcome.frame.isError);
        return { ...outcome, server };
      }
      last = outcome;
      if (outcome.reached === "no") continue;
      server.unknown++;
      isUnknown = true;
      this.#doubt(server, n, outcome);
    }
    if (isUnknown) return { ...last, reached: "unknown" };
    if (this.#state.last < n) return last;
    this.#record({ is: "done", n, isRefused: true });
    this.#passOver(n);
    await this.#parts.file.sync();
    return last;
  }

  /** One server has answered: those that held all before are brought along, now. */
  async #answered(n: number, first: BalancedServer, isRefused: boolean): Promise<void> {
    const { servers, file } = this.#parts;
    first.answered++;
    const others = servers.filter((server) => server !== first && this.isComplete(server) && server.isUp);
    this.#record({ is: "done", n, isRefused });
    if (isRefused) {
      this.#passOver(n);
      await keepDigest(this.#doubts);
      await file.sync();
      return;
    }
    this.#record({ is: "applied", n, server: first.id });
    await file.sync();
    const entry = this.#state.entries.get(n) as JournalEntry;
    await Promise.all(others.map((server) => this.#carry(server, entry)));
    await keepDigest(this.#doubts);
  }

  /** What was refused, or came to nobody, changes no server; but who is in doubt may have taken it all the same. */
  #passOver(n: number): void {
    for (const { id } of this.#parts.servers) {
      if (this.#state.appliedOf(id) === n - 1 && this.#state.doubtOf(id) === null)
        this.#record({ is: "applied", n, server: id });
    }
  }

  async #carry(server: BalancedServer, entry: JournalEntry): Promise<void> {
    const { log } = this.#parts;
    const outcome = await server.upstream.ask(entry.session, entry.statement);
    if (outcome.kind === "answered" && !outcome.frame.isError) {
      this.#record({ is: "applied", n: entry.n, server: server.id });
      log.carried(server, entry);
      return;
    }
    if (outcome.kind === "failed" && outcome.reached === "unknown") this.#doubt(server, entry.n, outcome);
    log.failed(server, entry, outcome);
  }

  #doubt(server: BalancedServer, n: number, failure: UpstreamFailure): void {
    this.#state.doubt(server.id, n);
    this.#leaveAlone(server, failure);
  }

  /** It may yet take a write from a connection that we gave up. */
  #leaveAlone(server: BalancedServer, { why }: UpstreamFailure): void {
    const { environment, settleTime, replyTimeout } = this.#parts;
    const more = why === "timeout" ? replyTimeout : 0;
    server.freshFrom = Math.max(server.freshFrom, environment.uptime() + settleTime + more);
  }

  /** Asks those that have certainly not seen the open write for it. @returns whether one has answered */
  async #settle(): Promise<boolean> {
    const { open } = this.#state;
    if (open === null) return true;
    await this.#ask(open.n, open.session, open.statement, this.#complete());
    if (this.#state.open !== null && (await settleAmongAll(this.#doubts, open)))
      await this.#parts.file.sync();
    return this.#state.open === null;
  }

  /** A server that is new here, or was left out for long. */
  #giveUpUnlessReached(server: BalancedServer): void {
    if (this.#state.isWithinReach(server.id)) return;
    this.#record({ is: "diverged", server: server.id });
    this.#parts.log.diverged(server, "the journal does not reach back to where it is");
  }

  #complete(): readonly BalancedServer[] {
    return this.#parts.servers.filter((server) => server.isUp && this.isComplete(server));
  }

  #record(record: JournalRecord): void {
    this.#state.take(record);
    this.#parts.file.append(record);
  }

  #alone<Result>(step: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(step);
    this.#turn = result.catch(() => {});
    return result;
  }

  #lookLater(): void {
    if (this.#isStopped) return;
    this.#cancelLook = this.#parts.environment.setTimer(LOOK_MS, () => {
      for (const server of this.#parts.servers) this.#tend(server);
      this.#lookLater();
    });
  }

  /** Whoever is there again and lacks something. */
  #tend(server: BalancedServer): void {
    const { id, isUp, freshFrom } = server;
    const now = this.#parts.environment.uptime();
    const isEarly = now < freshFrom || now < (this.#retryFrom.get(server) ?? 0);
    if (this.#isBroken || !isUp || isEarly || this.#tended.has(server)) return;
    if (this.#state.isComplete(id) || this.#state.isDiverged(id)) return;
    this.#tended.set(server, this.#bringAlong(server));
  }

  async #bringAlong(server: BalancedServer): Promise<void> {
    await catchUp(server, this.#catchingUp).catch((problem: Error) => this.#break(problem));
    this.#tended.delete(server);
    // What hinders it will hinder it again at once.
    if (!this.#state.isComplete(server.id)) {
      const { environment, settleTime } = this.#parts;
      this.#retryFrom.set(server, environment.uptime() + Math.max(settleTime, LOOK_MS));
    }
  }

  #break({ message }: Error): void {
    if (!this.#isBroken) this.#parts.log.broken(message);
    this.#isBroken = true;
  }

  async #shorten(): Promise<void> {
    const { servers, file, log, mostBytes } = this.#parts;
    this.#state.forget();
    if (file.bytes < Math.min(SHORTENED_BYTES, mostBytes)) return;
    const isLong = file.bytes > mostBytes;
    for (const server of servers) {
      if (!isLong || this.#state.isComplete(server.id) || this.#state.isDiverged(server.id)) continue;
      this.#record({ is: "diverged", server: server.id });
      log.diverged(server, "it was away for too long");
    }
    const left = servers.filter(({ id }) => !this.#state.isDiverged(id));
    if (!left.every(({ id }) => this.#state.isComplete(id)) || this.#state.open !== null) return;
    const diverged = servers.filter(({ id }) => this.#state.isDiverged(id));
    await file.replace([
      { is: "base", n: this.#state.last, servers: left.map(({ id }) => id) },
      ...diverged.map(({ id }) => ({ is: "diverged", server: id }) as const),
    ]);
    this.#state.forget();
  }
}
