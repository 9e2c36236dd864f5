/**
 * Parses the error replies by which a Redis server redirects a command that it did not execute, or asks the client to
 * try again later.
 */

import { findCommand } from "../../daemon/store/command-table.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Address } from "./redis-link.js";

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
 * Parses an error reply.
 * @param server  the address of the server that replied, whose host is used if the reply omits the host
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
