/** What finds the server for a command among several: in a cluster by the slot of its keys, or the one master that sentinels name. */
import type { ErrorReply } from "../../../protocol/reply.js";
import type { Outcome } from "../backend.js";
import type { Address, Argv, RedisLink } from "./link.js";
import type { Turn } from "./turns.js";

/** The lane of what is for all servers. */
export const ALL = -1;

/** Where commands go: the number of a lane, to all servers at once, or nowhere. */
export type Way = number | Spread | ErrorReply;

/** A command for all servers. */
export interface Spread {
  readonly kind: "spread";
  /** Whether those behind it go after it: it writes. */
  readonly isBefore: boolean;
  readonly run: () => Promise<Outcome>;
}

export interface Finder {
  /** What failures begin with. */
  readonly name: string;
  start(): void;
  stop(): void;
  readonly isUp: boolean;
  /** Where it was found. */
  readonly server: string;
  /** Milliseconds that a command may take, and wait. */
  timeout: number;
  /** Of one command, or of several that are to go together. */
  wayOf(commands: readonly Argv[]): Way;
  /** @param ask  a server that one command was sent to; null: the lane's own @returns null: it cannot be reached now */
  linkFor(lane: number, ask: Address | null): RedisLink | null;
  /** A server has sent a command away. */
  turned(turn: Turn, link: RedisLink): void;
  /** What it believes of a turn that may be a script's invention; null: it is an answer. */
  believed(turn: Turn): Turn | null;
  /** Why a lane's server cannot be reached. */
  reasonFor(lane: number): string;
  /** Whether all servers can be reached: commands for all of them wait for that. */
  readonly isWhole: boolean;
}
