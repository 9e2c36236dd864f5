/**
 * Brings one server that was away to where the others are: first what nobody knows is found out by what it holds, then writes are carried to
 * it in their order, then it is compared with another.
 */
import type { BalancedServer } from "../servers/balanced-server.js";
import type { UpstreamFailure } from "../upstream/outcome.js";
import { contentsDigest } from "./contents-digest.js";
import type { JournalFile } from "./journal-file.js";
import type { JournalEntry, JournalRecord, JournalState } from "./journal-state.js";
import type { ReplicationLog } from "./replication-log.js";

/** So many writes from the end others wait until it has them. */
const NEAR = 16;

export interface CatchingUpParts {
  readonly state: JournalState;
  readonly file: JournalFile;
  readonly log: ReplicationLog;
  readonly record: (record: JournalRecord) => void;
  /** Runs a step while nobody writes. */
  readonly alone: <Result>(step: () => Promise<Result>) => Promise<Result>;
  /** Asks a server that is certain for the write that nobody has answered. @returns whether it is settled */
  readonly settle: () => Promise<boolean>;
  /** Nobody knows whether it has a write. */
  readonly lost: (server: BalancedServer, failure: UpstreamFailure) => void;
  readonly isStopped: () => boolean;
  /** One that is there and holds all; null: there is none. */
  readonly complete: () => BalancedServer | null;
}

/** What was carried to it: the last write of each kind of contents. */
type Touched = Map<string, JournalEntry>;

export async function catchUp(server: BalancedServer, parts: CatchingUpParts): Promise<void> {
  const { state, alone, log } = parts;
  if (!(await alone(() => resolveDoubt(server, parts)))) return;
  const touched: Touched = new Map();
  const before = state.appliedOf(server.id);
  while (state.appliedOf(server.id) < state.last - NEAR)
    if (!(await carryNext(server, parts, touched))) return;
  await alone(async () => {
    while (!state.isComplete(server.id)) if (!(await carryNext(server, parts, touched))) return;
    if (await isEqual(server, parts, touched)) {
      log.caughtUp(server, state.appliedOf(server.id) - before);
      return;
    }
    parts.record({ is: "diverged", server: server.id });
    await parts.file.sync();
    log.diverged(server, "it holds something else than the others");
  });
}

/** @returns whether it is known what the server has */
async function resolveDoubt(server: BalancedServer, parts: CatchingUpParts): Promise<boolean> {
  const { state, record, log } = parts;
  const doubt = state.doubtOf(server.id);
  if (doubt === null) return true;
  // Of an earlier one it can be told all the same: nobody else may be there to settle the open one.
  if (state.open?.n === doubt.n && !(await parts.settle())) return false;
  const entry = state.entries.get(doubt.n);
  if (state.doubtOf(server.id) === null) return true;
  if (entry === undefined) return false;
  const other = parts.complete();
  const { session, statement } = entry;
  let { digest } = doubt;
  if (digest === null && doubt.n === state.last) {
    if (other === null) return false;
    const of = await contentsDigest(other.upstream, session, statement);
    if (of === null) return false;
    digest = { is: "after", of };
  }
  if (digest === null) {
    record({ is: "diverged", server: server.id });
    log.diverged(server, "whether it has a write cannot be found out any more");
    return false;
  }
  const its = await contentsDigest(server.upstream, session, statement);
  if (its === null) return false;
  const hasIt = digest.is === "after" ? its === digest.of : its !== digest.of;
  if (!hasIt && entry.outcome === "refused") {
    record({ is: "diverged", server: server.id });
    log.diverged(server, "it has carried out a write that another server has refused");
    return false;
  }
  if (hasIt) record({ is: "applied", n: doubt.n, server: server.id });
  else state.clear(server.id);
  return true;
}

/** @returns false: it cannot go on for now */
async function carryNext(server: BalancedServer, parts: CatchingUpParts, touched: Touched): Promise<boolean> {
  const { state, record, file, log } = parts;
  const n = state.appliedOf(server.id) + 1;
  const entry = state.entries.get(n);
  if (parts.isStopped() || entry === undefined || entry.outcome === "open") return false;
  if (entry.outcome === "refused") {
    record({ is: "applied", n, server: server.id });
    return true;
  }
  const { session, statement } = entry;
  const digest = await contentsDigest(server.upstream, session, statement);
  if (digest === null) return false;
  record({ is: "before", n, server: server.id, digest });
  await file.sync();
  const outcome = await server.upstream.ask(session, statement);
  if (outcome.kind === "answered" && !outcome.frame.isError) {
    record({ is: "applied", n, server: server.id });
    touched.set(log.carried(server, entry), entry);
    return true;
  }
  if (outcome.kind === "answered" || outcome.reached === "no") state.clear(server.id);
  else parts.lost(server, outcome);
  log.failed(server, entry, outcome);
  return false;
}

/** Whether it holds the same as another, as far as was carried to it and both can be asked. */
async function isEqual(server: BalancedServer, parts: CatchingUpParts, touched: Touched): Promise<boolean> {
  const other = parts.complete();
  if (other === null) return true;
  for (const { session, statement } of touched.values()) {
    const [its, due] = await Promise.all(
      [server, other].map(({ upstream }) => contentsDigest(upstream, session, statement)),
    );
    if (its !== null && due !== null && its !== due) return false;
  }
  return true;
}
