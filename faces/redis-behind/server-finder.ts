/**
 * Finds the server for a command: in a cluster by the slot of its keys, otherwise the one master that sentinels name.
 */
import type { Outcome } from "../../daemon/engine/backends/backend.js";
import { findCommand } from "../../daemon/store/command-table.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { ErrorReply } from "../../protocol/reply.js";
import type { Address, Argv, RedisLink } from "./redis-link.js";

/** The lane of commands for all servers. */
export const ALL = -1;

/** The route of commands: a lane number, all servers, or an error. */
export type CommandRoute = number | Broadcast | ErrorReply;

/** A command that is sent to all servers. */
export interface Broadcast {
  readonly kind: "broadcast";
  /** Whether the command writes, so that later commands must wait for it. */
  readonly isBarrier: boolean;
  readonly run: () => Promise<Outcome>;
}

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
  linkFor(lane: number, askAddress: Address | null): RedisLink | null;
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

export type Redirection =
  /** `moved`: the slot has another master. `ask`: only this command must be sent to another server. */
  | { readonly kind: "moved" | "ask"; readonly slot: number; readonly address: Address }
  | { readonly kind: "later" };

const ELSEWHERE = /^(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/;
/**
 * Matches the errors after which a command may be sent again. The patterns contain the servers' exact wording, because
 * scripts may return similar errors. UNBLOCKED means that a master became a replica while the command was waiting.
 */
const LATER = new RegExp(
  "^(TRYAGAIN Multiple keys request during rehashing of slot|CLUSTERDOWN (The cluster is down|Hash slot not served)|" +
    "LOADING \\w+ is loading the dataset in memory|MASTERDOWN Link with MASTER is down|" +
    "READONLY You can't write against a read only replica\\.$|UNBLOCKED force unblock)",
);

/**
 * Parses the error replies by which a Redis server redirects a command that it did not execute, or asks the client
 * to try again later. Parses an error reply.
 * @param server the address of the server that replied, whose host is used if the reply omits the host
 * @returns null if the error is an answer to the command
 */
export function redirectionOf(text: ByteString, server: Address): Redirection | null {
  if (LATER.test(text)) return { kind: "later" };
  const [, kind, slot, host, port] = ELSEWHERE.exec(text) ?? [];
  if (kind === undefined) return null;
  const address = { host: host === "" ? server.host : (host as string), port: Number(port) };
  return { kind: kind === "ASK" ? "ask" : "moved", slot: Number(slot), address };
}

/** Whether a command runs a script, which may return any error, including invented redirections. */
export const isScript = ([name = ""]: readonly ByteString[]): boolean =>
  findCommand(name)?.runsScript === true;

export const addressText = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
