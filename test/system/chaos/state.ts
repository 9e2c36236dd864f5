/**
 * Reads the values of the crash test's keys from a daemon. Computes the expected values from the entries in a folder,
 * with a separate implementation of SET, INCR and RPUSH, which are the only commands used.
 */
import type { Client } from "../../../client/public-api.js";
import type { Contents } from "../folder-contents.js";
import type { ReportedWrite } from "./write.js";

export interface State {
  readonly texts: ReadonlyMap<string, string>;
  readonly lists: ReadonlyMap<string, readonly string[]>;
}

/** The number of keys that one command reads. */
const CHUNK = 500;

/** Folds the entries of a folder. @param contents  the entries in order, without damaged entries */
export function foldContents(contents: Contents): State {
  const texts = new Map<string, string>();
  const lists = new Map<string, string[]>();
  for (const entry of contents.values()) {
    const { commands = [], decided = null } = entry?.envelope ?? {};
    for (const [i, [name, key = "", value = "", condition = ""]] of commands.entries()) {
      if ((decided?.outcomes[i] ?? decided?.outcomes[0]) === "unmet") continue;
      if (name === "SET") {
        if (condition === "" || decided !== null || !texts.has(key)) texts.set(key, value);
      } else if (name === "INCR") texts.set(key, String(Number(texts.get(key) ?? 0) + 1));
      else if (name === "RPUSH") {
        const list = lists.get(key) ?? [];
        list.push(value);
        lists.set(key, list);
      }
    }
  }
  return { texts, lists };
}

/** Reads all keys that the writes name from one daemon. @param client  a client of that daemon alone */
export async function readState(client: Client, writes: readonly ReportedWrite[]): Promise<State> {
  const texts = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  const tokens = writes.filter(({ sets }) => sets).map(({ token }) => token);
  const shared = writes.flatMap(({ counter, claim }) => [counter, claim]);
  const keys = [...new Set([...tokens, ...shared])].filter((key) => key !== "");

  for (let start = 0; start < keys.length; start += CHUNK) {
    const chunk = keys.slice(start, start + CHUNK);
    const values = (await client.call(["MGET", ...chunk])) as (string | null)[];
    for (const [index, value] of values.entries())
      if (value !== null) texts.set(chunk[index] as string, value);
  }

  for (const list of new Set(writes.map((write) => write.list))) {
    if (list === "") continue;
    const elements = (await client.call(["LRANGE", list, 0, -1])) as string[];
    if (elements.length > 0) lists.set(list, elements);
  }
  return { texts, lists };
}
