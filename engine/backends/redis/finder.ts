/**
 * Finds the server of a command among several: in a cluster by the slot of its keys, or the one master that sentinels
 * name.
 */
import type { ErrorReply } from "../../../protocol/reply.js";
import type { Outcome } from "../backend.js";
import type { Address, Argv, RedisLink } from "./link.js";
import type { Turn } from "./turns.js";

/** The lane of commands for all servers. */
export const ALL = -1;

/** The route of commands: the number of a lane, all servers at the same time, or an error. */
export type Way = number | Spread | ErrorReply;

/** A command for all servers. */
export interface Spread {
  readonly kind: "spread";
  /** Whether it writes, so that later commands must wait for it. */
  readonly isBefore: boolean;
  readonly run: () => Promise<Outcome>;
}

export interface Finder {
  /** The prefix of failures. */
  readonly name: string;
  start(): void;
  stop(): void;
  /** Whether all servers can be reached, which commands for all of them wait for. */
  readonly isUp: boolean;
  /** The address of the server or servers. */
  readonly server: string;
  /** Milliseconds that a command may take, and wait. */
  timeout: number;
  /** Returns the route of one command, or of several that belong together. */
  wayOf(commands: readonly Argv[]): Way;
  /**
   * Returns the connection of a lane.
   * @param ask  a server that one command was redirected to; null: the lane's own
   * @returns null: it cannot be reached now
   */
  linkFor(lane: number, ask: Address | null): RedisLink | null;
  /** Notes that a server has redirected or refused a command. */
  turned(turn: Turn, link: RedisLink): void;
  /** Returns what to do about a redirection that a script may have invented; null: treat it as an answer. */
  believed(turn: Turn): Turn | null;
  /** Returns why a lane's server cannot be reached. */
  reasonFor(lane: number): string;
}
