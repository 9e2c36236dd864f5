/** Writes of which nobody knows whether a server has them: what is kept so that it can be told later. */
import type { BalancedServer } from "../servers/balanced-server.js";
import { contentsDigest } from "./contents-digest.js";
import type { JournalEntry, JournalRecord, JournalState } from "./journal-state.js";

export interface DoubtParts {
  readonly state: JournalState;
  readonly servers: readonly BalancedServer[];
  readonly environment: { uptime(): number };
  readonly record: (record: JournalRecord) => void;
  /** Those that are there and hold all. */
  readonly complete: () => readonly BalancedServer[];
}

/** Where the proxy was killed, servers may have been sent the last write. */
export function doubtTheLast({ state, servers }: DoubtParts): void {
  const { last, entries } = state;
  const entry = entries.get(last);
  for (const { id } of servers) {
    const isSent = entry?.outcome === "done" || entry?.sentTo.has(id) === true;
    if (isSent && state.appliedOf(id) === last - 1) state.doubt(id, last);
  }
}

/**
 * Keeps what the last write has made of a server that has it, for those that are in doubt. To be done before the next write, behind which nobody
 * could tell any more.
 * @returns false: nobody can tell now
 */
export async function keepDigest({ state, servers, record, complete }: DoubtParts): Promise<boolean> {
  const { last, entries } = state;
  const entry = entries.get(last);
  const doubtful = servers.filter(({ id }) => {
    const doubt = state.doubtOf(id);
    return doubt?.n === last && doubt.digest === null;
  });
  if (entry === undefined || doubtful.length === 0) return true;
  for (const { upstream } of complete()) {
    const digest = await contentsDigest(upstream, entry.session, entry.statement);
    if (digest === null) continue;
    for (const { id } of doubtful) record({ is: "after", n: last, server: id, digest });
    return true;
  }
  return false;
}

/**
 * When every server may have a write that nobody has answered: if all hold the same, it is of no matter whether they have it.
 * @returns whether it is settled
 */
export async function settleAmongAll(parts: DoubtParts, entry: JournalEntry): Promise<boolean> {
  const { state, record, environment } = parts;
  const { n, session, statement } = entry;
  const servers = parts.servers.filter(({ id }) => !state.isDiverged(id));
  const now = environment.uptime();
  const isEachInDoubt = servers.every(
    ({ id, isUp, freshFrom }) => isUp && freshFrom <= now && state.doubtOf(id)?.n === n,
  );
  if (!isEachInDoubt) return false;
  const digests = await Promise.all(
    servers.map(({ upstream }) => contentsDigest(upstream, session, statement)),
  );
  const [first] = digests;
  if (typeof first !== "string" || digests.some((digest) => digest !== first)) return false;
  record({ is: "done", n, isRefused: false });
  for (const { id } of servers) record({ is: "applied", n, server: id });
  return true;
}
