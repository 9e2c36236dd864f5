/** Authorizes the keys with which added daemons sign for clients without keys. */
import { authorizationOf } from "../keys/key-advice.js";
import type { MemberView } from "./member-views.js";

/**
 * The command that authorizes a daemon's key; "nothing": the key is already authorized; "unknown": no daemon that
 * answered knows the key yet.
 */
type NeededAuthorization = readonly string[] | "nothing" | "unknown";

/**
 * Returns the command that authorizes an added daemon's key. A daemon that does not know the administrator's key yet
 * cannot report its own key; in that case this function uses the reports of its peers. A reported key is used only if
 * its hash is the daemon's id.
 * @param id  the added daemon's id, hexadecimal
 */
function authorizationFor(id: string, views: readonly MemberView[]): NeededAuthorization {
  const own = views.find((view) => view.id === id);
  if (own !== undefined && own.authorize === null) return "nothing";
  const seen = views.flatMap(({ peers }) => peers.filter((peer) => peer.id === id).map(({ key }) => key));
  const keys = [own?.authorize?.split(" ")[2] ?? null, ...seen].filter((key) => key !== null);
  return authorizationOf(id, keys) ?? "unknown";
}

const RETRY_MS = 250;

/**
 * Time for which `members add` and `replace` retry to authorize a new key, in milliseconds. A member that has just
 * started refuses writes for about 10 s.
 */
export const AUTHORIZE_WAIT_MS = 20_000;

/**
 * Returns a function that waits until the next attempt. Its promise resolves with false once `AUTHORIZE_WAIT_MS` have
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

/** The result of authorizing a daemon's key; `problem` says why it failed and what to do, or is null. */
export interface Authorization {
  readonly id: string;
  readonly problem: string | null;
  /** Whether the same command may succeed later. */
  readonly isPending: boolean;
}

/** The reason why no daemon applied a command. */
export interface SendingFailure {
  readonly problem: string;
  /** Whether the reason may be temporary, so that a retry can succeed. */
  readonly isTemporary: boolean;
}

/** The reports of the daemons, and the requests with which keys are authorized. */
interface AuthorizationContext {
  /** The latest reports of the daemons. */
  readonly views: readonly MemberView[];
  /** Requests new reports from the daemons. */
  readonly query: () => Promise<readonly MemberView[]>;
  /** Sends a command to members. @returns null if a daemon has executed it */
  readonly send: (command: readonly string[]) => Promise<SendingFailure | null>;
  /** Waits until the next attempt. @returns false if there is no further attempt */
  readonly next: () => Promise<boolean>;
}

/**
 * Authorizes the keys of added daemons that are not authorized yet. A daemon signs with its key for clients without
 * keys (Redis, SQL, JSON, MongoDB, version 1). A new daemon refuses their writes until an administrator has signed
 * `CLUSTER ADD` for its key.
 * @param ids  ids of the added daemons, hexadecimal
 * @returns a result for each such key
 */
export async function authorizeAdded(
  ids: readonly string[],
  { views, query, send, next }: AuthorizationContext,
): Promise<readonly Authorization[]> {
  const done = new Map<string, Authorization>();
  for (let reports = views; ; reports = await query().catch(() => reports)) {
    for (const id of ids.filter((one) => done.get(one)?.problem !== null)) {
      const needed = authorizationFor(id, reports);
      if (needed === "nothing") {
        done.delete(id);
        continue;
      }
      const failure = needed === "unknown" ? UNSEEN : await send(needed);
      const command = needed === "unknown" ? "" : `. As administrator: dbsync send ${needed.join(" ")}`;
      const problem = failure === null ? null : `${failure.problem}${command}`;
      done.set(id, { id, problem, isPending: failure?.isTemporary === true });
    }
    if (![...done.values()].some(({ isPending }) => isPending) || !(await next())) return [...done.values()];
  }
}

const UNSEEN: SendingFailure = {
  problem:
    "no member knows its key yet. If it has clients that do not sign (Redis, SQL, JSON, MongoDB), dbsync status shows the command that authorizes it",
  isTemporary: true,
};
