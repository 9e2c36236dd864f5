import type { BackendOutcome } from "../../daemon/engine/backends/backend.js";
import type { ErrorReply } from "../../protocol/reply.js";
import type { Redirection } from "./redirections.js";
import type { Argv, RedisAddress, RedisLink } from "./redis-link.js";

/** The lane of commands for all servers. */
export const ALL = -1;

/** The route of commands: a lane number, all servers, or an error. */
export type CommandRoute = number | Broadcast | ErrorReply;

/** A command that is sent to all servers. */
export interface Broadcast {
  readonly kind: "broadcast";
  /** Whether the command writes, so that later commands must wait for it. */
  readonly isBarrier: boolean;
  readonly run: () => Promise<BackendOutcome>;
}

/**
 * The choice of the server for a command: in a cluster by the slot of its keys, otherwise the one master that sentinels
 * name.
 */
export interface ServerFinder {
  /** The prefix of failure messages. */
  readonly name: string;
  start(): void;
  stop(): void;
  /** Whether all servers can be reached. Commands for all servers wait until this is true. */
  readonly isUp: boolean;
  /** The address of the server or servers. */
  readonly server: string;
  /** Maximum milliseconds for which a command may run, and for which it may wait before it is sent. */
  timeout: number;
  /** Returns the route of one command, or of several commands that must run together. */
  routeOf(commands: readonly Argv[]): CommandRoute;
  /**
   * Returns the connection for a lane's commands.
   * @param askAddress  the server that one command was redirected to, or null for the lane's own server
   * @returns null if the server cannot be reached now
   */
  linkFor(lane: number, askAddress: RedisAddress | null): RedisLink | null;
  /** Records that a server has redirected or refused a command. */
  redirected(redirection: Redirection, link: RedisLink): void;
  /**
   * Checks a redirection that a script may have invented. Returns the redirection to follow instead, or null to pass
   * the error to the client as an answer.
   */
  checkedRedirection(redirection: Redirection): Redirection | null;
  /** Returns the reason why a lane's server cannot be reached. */
  reasonFor(lane: number): string;
}
