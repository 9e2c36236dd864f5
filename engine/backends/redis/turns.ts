/** What a Redis server says instead of executing a command, which is then certain not to have been executed: ask elsewhere, or later. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Address } from "./link.js";

export type Turn =
  /** The slot has another master, or (`ask`) this one command is to be asked of another. */
  | { readonly kind: "moved" | "ask"; readonly slot: number; readonly address: Address }
  | { readonly kind: "later" };

const ELSEWHERE = /^(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/;
/** The servers' own sentences: what begins likewise may be a script's. UNBLOCKED: a master that waited was made a replica. */
const LATER = new RegExp(
  "^(TRYAGAIN Multiple keys request during rehashing of slot|CLUSTERDOWN (The cluster is down|Hash slot not served)|" +
    "LOADING \\w+ is loading the dataset in memory|MASTERDOWN Link with MASTER is down|" +
    "READONLY You can't write against a read only replica\\.$|UNBLOCKED force unblock)",
);

/** @param asked  who says so; it need not name itself @returns null: it is an answer */
export function turnOf(text: ByteString, asked: Address): Turn | null {
  if (LATER.test(text)) return { kind: "later" };
  const [, kind, slot, host, port] = ELSEWHERE.exec(text) ?? [];
  if (kind === undefined) return null;
  const address = { host: host === "" ? asked.host : (host as string), port: Number(port) };
  return { kind: kind === "ASK" ? "ask" : "moved", slot: Number(slot), address };
}

const SCRIPTS = /^(?:EVAL|EVALSHA|FCALL)(?:_RO)?$/i;

/** Whether it writes its errors itself, so that what it says of other servers may be invented. */
export const isScript = ([name = ""]: readonly ByteString[]): boolean => SCRIPTS.test(name);

export const placeOf = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
