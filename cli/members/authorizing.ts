/**
 * Authorizes the keys of daemons that a list adds, which sign for clients without keys (Redis, SQL, JSON, MongoDB, version 1): a replaced
 * daemon has a new key, and refuses their writes until an administrator has signed `CLUSTER ADD` for it.
 */
import { authorizationOf } from "../keys/authorization.js";
import type { MemberView } from "./member-views.js";

/** The command that a daemon's key needs; "unknown": no daemon that answered has seen the key yet. */
export type Needed = readonly string[] | "nothing" | "unknown";

/**
 * Returns the command that authorizes an added daemon's key. A daemon that does not know the administrator's key cannot report
 * whether it signs for clients: then the members' knowledge of it decides. Only the key whose hash is the id is ever authorized,
 * whatever command a daemon reports.
 * @param id  hexadecimal
 */
export function neededBy(id: string, views: readonly MemberView[]): Needed {
  const own = views.find((view) => view.id === id);
  if (own !== undefined && own.authorize === null) return "nothing";
  const seen = views.flatMap(({ peers }) => peers.filter((peer) => peer.id === id).map(({ key }) => key));
  const keys = [own?.authorize?.split(" ")[2] ?? null, ...seen].filter((key) => key !== null);
  return authorizationOf(id, keys) ?? "unknown";
}

const RETRY_MS = 250;

/**
 * Milliseconds for which `members add` and `replace` retry to authorize a new key: a member that has just started refuses writes for about 10
 * s.
 */
export const AUTHORIZE_WAIT_MS = 20_000;

/**
 * Returns a function that waits until the next attempt; its promise resolves with false once `AUTHORIZE_WAIT_MS` have
 * passed.
 */
export function attempts(): () => Promise<boolean> {
  const deadline = performance.now() + AUTHORIZE_WAIT_MS;
  return async () => {
    if (performance.now() + RETRY_MS > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    return true;
  };
}

/** A daemon whose key was authorized, or the sentence that says why not, and what to do. */
export interface Authorization {
  readonly id: string;
  readonly problem: string | null;
  /** Whether the same command, typed again later, may authorize it. */
  readonly isPending: boolean;
}

/** The reason why a command was not applied, and whether a retry may help. */
export interface Failure {
  readonly problem: string;
  readonly isPassing: boolean;
}

export interface Authorizing {
  /** The last reports of the daemons. */
  readonly views: readonly MemberView[];
  readonly ask: () => Promise<readonly MemberView[]>;
  /** Sends a command to members. @returns null: a daemon has executed it */
  readonly send: (command: readonly string[]) => Promise<Failure | null>;
  /** Waits until the next attempt. @returns false: no further one */
  readonly next: () => Promise<boolean>;
}

/** @param ids  of the added daemons, hexadecimal @returns those whose keys need it, as the daemons reported last */
export async function authorizeAdded(
  ids: readonly string[],
  { views, ask, send, next }: Authorizing,
): Promise<readonly Authorization[]> {
  const done = new Map<string, Authorization>();
  for (let seen = views; ; seen = await ask().catch(() => seen)) {
    for (const id of ids.filter((one) => done.get(one)?.problem !== null)) {
      const needed = neededBy(id, seen);
      if (needed === "nothing") {
        done.delete(id);
        continue;
      }
      const failure = needed === "unknown" ? UNSEEN : await send(needed);
      const command = needed === "unknown" ? "" : `. As administrator: dbsync send ${needed.join(" ")}`;
      const problem = failure === null ? null : `${failure.problem}${command}`;
      done.set(id, { id, problem, isPending: failure?.isPassing === true });
    }
    if (![...done.values()].some(({ isPending }) => isPending) || !(await next())) return [...done.values()];
  }
}

const UNSEEN: Failure = {
  problem:
    "no member has seen its key yet: if it has clients that do not sign (Redis, SQL, JSON, MongoDB), dbsync status shows the command that authorizes it",
  isPassing: true,
};
