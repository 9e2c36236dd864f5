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
import { contentsDigest } from "./contents-digest.js";
import type { JournalFile } from "./journal-file.js";
import { type JournalEntry, type JournalRecord, JournalState } from "./journal-state.js";
import type { ReplicationLog } from "./replication-log.js";

/** Milliseconds between two looks at who was away. */
const LOOK_MS = 200;
const MIB = 1024 * 1024;
/** A journal of more is made short when all servers have all of it. */
const SHORTENED_BYTES = 4 * MIB;
/** Whoever is so far behind is left alone, or the journal would grow for ever. */
const MOST_BYTES = 1024 * MIB;

export interface ReplicatorParts {
  readonly servers: readonly BalancedServer[];
  readonly file: JournalFile;
  readonly log: ReplicationLog;
  /** Milliseconds after which a server has taken whatever was on its way to it. */
  readonly settleTime: number;
  readonly environment: Pick<Environment, "uptime" | "setTimer">;
}

/** Whom a write was answered by, and what with; or why not. */
export type Written = (UpstreamAnswer & { readonly server: BalancedServer }) | UpstreamFailure;

export class Replicator {
  readonly #parts: ReplicatorParts;
  readonly #state: JournalState;
  readonly #catchingUp: CatchingUpParts;
  /** Settles when the writes before are done. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #tended = new Set<BalancedServer>();
  #cancelLook: (() => void) | null = null;
  #isStopped = false;
  /** Whether the disk has failed: what is not in the journal must not be sent. */
  #isBroken = false;

  constructor(parts: ReplicatorParts) {
    this.#parts = parts;
    this.#state = new JournalState(parts.servers.map(({ id }) => id));
    this.#catchingUp = {
      ...{ state: this.#state, file: parts.file, log: parts.log },
      record: (record) => this.#record(record),
      alone: (step) => this.#alone(step),
      settle: () => this.#settle(),
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
    this.#doubtTheLast();
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelLook?.();
    await this.#turn;
    if (!this.#isBroken) await this.#parts.file.close();
  }

  /** Whether it holds all writes. */
  isComplete(server: BalancedServer): boolean {
    return this.#state.isComplete(server.id) && !this.#tended.has(server);
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
    if (!(await this.#keepDigest()))
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
      this.#doubt(server, n);
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
      await file.sync();
      return;
    }
    this.#record({ is: "applied", n, server: first.id });
    await file.sync();
    const entry = this.#state.entries.get(n) as JournalEntry;
    await Promise.all(others.map((server) => this.#carry(server, entry)));
    await this.#keepDigest();
  }

  /** What was refused, or came to nobody, changes no server. */
  #passOver(n: number): void {
    for (const { id } of this.#parts.servers) {
      if (this.#state.doubtOf(id)?.n === n) this.#state.clear(id);
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
    if (outcome.kind === "failed" && outcome.reached === "unknown") this.#doubt(server, entry.n);
    log.failed(server, entry, outcome);
  }

  /** So that it can be told later whether those that are in doubt have the last write. @returns false: nobody can tell now */
  async #keepDigest(): Promise<boolean> {
    const { last, entries } = this.#state;
    const entry = entries.get(last);
    const doubtful = this.#parts.servers.filter(({ id }) => {
      const doubt = this.#state.doubtOf(id);
      return doubt?.n === last && doubt.digest === null;
    });
    if (entry === undefined || doubtful.length === 0) return true;
    for (const { upstream } of this.#complete()) {
      const digest = await contentsDigest(upstream, entry.session, entry.statement);
      if (digest === null) continue;
      for (const { id } of doubtful) this.#record({ is: "after", n: last, server: id, digest });
      return true;
    }
    return false;
  }

  /** It may have a write, or may yet take it from a connection that we gave up. */
  #doubt(server: BalancedServer, n: number): void {
    const { environment, settleTime } = this.#parts;
    this.#state.doubt(server.id, n);
    server.freshFrom = environment.uptime() + settleTime;
  }

  /** Asks those that have certainly not seen the open write for it. @returns whether one has answered */
  async #settle(): Promise<boolean> {
    const { open } = this.#state;
    if (open === null) return true;
    await this.#ask(open.n, open.session, open.statement, this.#complete());
    return this.#state.open === null || (await this.#settleAmongAll(open));
  }

  /** When every server may have the open write: if all hold the same, it is of no matter whether they have it. */
  async #settleAmongAll({ n, session, statement }: JournalEntry): Promise<boolean> {
    const servers = this.#parts.servers.filter(({ id }) => !this.#state.isDiverged(id));
    const now = this.#parts.environment.uptime();
    const isEachInDoubt = servers.every(
      ({ id, isUp, freshFrom }) => isUp && freshFrom <= now && this.#state.doubtOf(id)?.n === n,
    );
    if (!isEachInDoubt) return false;
    const digests = await Promise.all(
      servers.map(({ upstream }) => contentsDigest(upstream, session, statement)),
    );
    const [first] = digests;
    if (typeof first !== "string" || digests.some((digest) => digest !== first)) return false;
    this.#record({ is: "done", n, isRefused: false });
    for (const { id } of servers) this.#record({ is: "applied", n, server: id });
    await this.#parts.file.sync();
    return true;
  }

  /** Where the proxy was killed, servers may have been sent the last write. */
  #doubtTheLast(): void {
    const { open, last, entries } = this.#state;
    const entry = entries.get(last);
    for (const { id } of this.#parts.servers) {
      const isSent = open === null ? entry?.outcome === "done" : open.sentTo.has(id);
      if (isSent && this.#state.appliedOf(id) === last - 1) this.#state.doubt(id, last);
    }
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
      for (const server of this.#parts.servers) void this.#tend(server);
      this.#lookLater();
    });
  }

  /** Whoever is there again and lacks something. */
  async #tend(server: BalancedServer): Promise<void> {
    const { id, isUp, freshFrom } = server;
    if (this.#isBroken || !isUp || freshFrom > this.#parts.environment.uptime() || this.#tended.has(server))
      return;
    if (this.#state.isComplete(id) || this.#state.isDiverged(id)) return;
    this.#tended.add(server);
    await catchUp(server, this.#catchingUp).catch((problem: Error) => this.#break(problem));
    this.#tended.delete(server);
  }

  #break({ message }: Error): void {
    if (!this.#isBroken) this.#parts.log.broken(message);
    this.#isBroken = true;
  }

  async #shorten(): Promise<void> {
    const { servers, file, log } = this.#parts;
    this.#state.forget();
    if (file.bytes < SHORTENED_BYTES) return;
    const isLong = file.bytes > MOST_BYTES;
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
