import type { ByteString } from "../../protocol/byte-string.js";
import type { RedisAddress } from "./redis-link.js";

export type Redirection =
  /** `moved`: the slot has another master. `ask`: only this command must be sent to another server. */
  | { readonly kind: "moved" | "ask"; readonly slot: number; readonly address: RedisAddress }
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
 * Parses the error replies by which a Redis server redirects a command that it did not execute, or asks the client to
 * try again later.
 * @param server  the address of the server that replied, whose host is used if the reply omits the host
 * @returns null if the error is an answer to the command
 */
export function redirectionOf(text: ByteString, server: RedisAddress): Redirection | null {
  if (LATER.test(text)) return { kind: "later" };
  const [, kind, slot, host, port] = ELSEWHERE.exec(text) ?? [];
  if (kind === undefined) return null;
  const address = { host: host === "" ? server.host : (host as string), port: Number(port) };
  return { kind: kind === "ASK" ? "ask" : "moved", slot: Number(slot), address };
}
