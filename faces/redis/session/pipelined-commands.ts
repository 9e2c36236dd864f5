/**
 * Decides which commands of a connection may run before its earlier commands are answered. All of them run in the order
 * of their arrival; only their answers wait for the disk.
 */
import type { Command } from "../../../daemon/store/rows/command-row.js";

/** The part of a command's route that is used here. */
interface PipelinedRoute {
  readonly command: Command;
  /** Not null if the connection executes the command itself. */
  readonly handler: unknown;
  readonly mayWait: boolean;
}

/** The part of a session that is used here. */
interface PipelinedSession {
  readonly lastWrite: { readonly unapplied: number };
  readonly queued: readonly { readonly route: PipelinedRoute }[] | null;
  readonly watched: { readonly size: number };
  readonly tracker: object | null;
  readonly server: {
    readonly tracking: { readonly size: number };
    readonly scripts: { readonly isReady: boolean };
  };
}

/** The groups of reads that are answered in one step. */
const READ_GROUPS: ReadonlySet<string> = new Set([
  ...["string", "bitmap", "hyperloglog", "keyspace", "list", "hash", "set", "sortedset", "stream", "geo"],
]);
/** The maximum number of unanswered commands, and of its own arguments, with which a read may wait to run. */
const WAITING_READS_MAX = 512;
const READ_ARGUMENTS_MAX = 16;
/** The commands that neither show nor change data. */
const IMMEDIATE: ReadonlySet<string> = new Set(["MULTI", "DISCARD", "UNWATCH", "PING", "ECHO"]);
/** The commands that depend on the state of the connection, or on the keys as its earlier commands have left them. */
const AFTER_EARLIER: ReadonlySet<string> = new Set(["WATCH", "SELECT"]);

/**
 * Whether a command of a connection may run while earlier commands are not answered.
 * @param route  the command, which is not queued in a transaction
 * @param words  the number of its arguments, including the name
 * @param pending  the number of unanswered commands
 */
export function mayRunAhead(
  session: PipelinedSession,
  route: PipelinedRoute,
  words: number,
  pending: number,
): boolean {
  const { command, handler, mayWait } = route;
  const isEarlierApplied = session.lastWrite.unapplied === 0;
  if (IMMEDIATE.has(command.name)) return true;
  if (handler === null) {
    if (mayWait) return false;
    if (command.writes) return true;
    if (!READ_GROUPS.has(command.group) || command.isQuery) return false;
    if (isEarlierApplied) return true;
    // A read that runs later than it arrived would be remembered for a cache too early.
    const isTracked = session.server.tracking.size > 0 && session.tracker !== null;
    // The reads that wait for the same commands run in one turn, so together they must be short.
    return (
      !isTracked &&
      command.flags.includes("fast") &&
      words <= READ_ARGUMENTS_MAX &&
      pending < WAITING_READS_MAX
    );
  }
  if (command.runsScript === true) return session.server.scripts.isReady;
  if (command.name === "EXEC") return execMayRunAhead(session, isEarlierApplied);
  return isEarlierApplied && AFTER_EARLIER.has(command.name);
}

function execMayRunAhead({ queued, watched, server }: PipelinedSession, isEarlierApplied: boolean): boolean {
  if (queued === null) return true;
  // Whether an absent key was created in the meantime is known only when the earlier commands are applied.
  if (!isEarlierApplied && watched.size > 0) return false;
  // Messages alone would be published before the disk has what the client has sent before them.
  if (queued.length > 0 && queued.every(({ route }) => route.command.channels === "first")) return false;
  if (!queued.some(({ route }) => route.command.runsScript === true))
    return queued.every(isForStore) && (isEarlierApplied || queued.some(({ route }) => route.command.writes));
  const areSteps = queued.every(({ route }) => route.handler === null || route.command.runsScript === true);
  return areSteps && server.scripts.isReady;
}

/** Whether a command of a transaction is executed by the store, or published after the transaction. */
const isForStore = ({ route: { handler, command } }: { readonly route: PipelinedRoute }): boolean =>
  handler === null || command.channels === "first";
