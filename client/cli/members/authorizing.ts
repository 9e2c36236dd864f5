/**
 * Authorizes the keys of daemons that a list adds, which sign for clients without keys (Redis, SQL, JSON, MongoDB, version 1): a replaced
 * daemon has a new key, and refuses their writes until an administrator has signed `CLUSTER ADD` for it.
 */
import type { MemberView } from "./member-views.js";

/** What a daemon's key needs; "unknown": no daemon that was asked has seen it yet. */
export type Needed = readonly string[] | "nothing" | "unknown";

/**
 * Returns the command that authorizes an added daemon's key. A daemon that does not know the administrator's key cannot be asked whether
 * it signs for clients: then by what the members have seen of it.
 * @param id  hexadecimal
 */
export function authorizationOf(id: string, views: readonly MemberView[]): Needed {
  const own = views.find((view) => view.id === id);
  if (own !== undefined) return own.authorize === null ? "nothing" : own.authorize.split(" ");
  const key = views.flatMap(({ peers }) => peers).find((peer) => peer.id === id && peer.key !== null)?.key;
  return key == null ? "unknown" : ["CLUSTER", "ADD", key];
}

const WAIT_MS = 250;
/** A minute: a member that has just been started refuses writes until it has caught up. */
const WAITS_MAX = 240;

/** A daemon whose key was authorized, or the sentence that says why not, and what to do. */
export interface Authorization {
  readonly id: string;
  readonly problem: string | null;
}

/** Why a command was not carried out, and whether it may be in a moment. */
export interface Failure {
  readonly problem: string;
  readonly isPassing: boolean;
}

export interface Authorizing {
  /** What the daemons said last. */
  readonly views: readonly MemberView[];
  readonly ask: () => Promise<readonly MemberView[]>;
  /** Sends a command to members. @returns null: a daemon has carried it out */
  readonly send: (command: readonly string[]) => Promise<Failure | null>;
}

/** @param ids  of the added daemons, hexadecimal @returns those whose keys need it, as the daemons said last */
export async function authorizeAdded(
  ids: readonly string[],
  { views, ask, send }: Authorizing,
): Promise<readonly Authorization[]> {
  const done = new Map<string, Authorization>();
  let seen = views;
  for (let waits = 0; waits <= WAITS_MAX; waits++) {
    let isWaiting = false;
    for (const id of ids.filter((one) => done.get(one)?.problem !== null)) {
      const needed = authorizationOf(id, seen);
      if (needed === "nothing") {
        done.delete(id);
        continue;
      }
      const failure = needed === "unknown" ? UNSEEN : await send(needed);
      const command = needed === "unknown" ? "" : `. As administrator: dbsync send ${needed.join(" ")}`;
      done.set(id, { id, problem: failure === null ? null : `${failure.problem}${command}` });
      isWaiting ||= failure?.isPassing === true;
    }
    if (!isWaiting) break;
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    seen = await ask().catch(() => seen);
  }
  return [...done.values()];
}

const UNSEEN: Failure = {
  problem:
    "no member has seen its key yet: if it has clients that do not sign (Redis, SQL, JSON, MongoDB), dbsync status shows the command that authorizes it",
  isPassing: true,
};
